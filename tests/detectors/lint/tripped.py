"""Policies that each trip one rule of lint, with the path and the rule of the finding."""

from __future__ import annotations

import json


def outage(people: int = 3, usual: float = 0.0005, spread: float = 0.15) -> str:
    return json.dumps({"outage": {"min_people": people, "usual": usual, "spread": spread}})


def burns(*rules: tuple[str, str, float, int]) -> str:
    listed = [
        {"long": long, "short": short, "factor": factor, "min_people": people}
        for long, short, factor, people in rules
    ]
    return json.dumps({"burn_rate": {"rules": listed}})


def slowness(factor: float = 5, min_slow: int = 15) -> str:
    rule = {"long": "1h", "short": "5m", "factor": factor, "min_slow": min_slow}
    return json.dumps({"latency": {"rules": [rule]}})


def windows(*spans: tuple[str, str, str]) -> str:
    listed = [{"scope": s, "start": a, "end": b, "description": "patching"} for s, a, b in spans]
    return json.dumps({"maintenance": listed})


TRIPPED = [
    # what cannot be reached
    (burns(("1h", "5m", 1000, 10)), "burn_rate.rules[0].factor burn-rate-out-of-reach"),
    (burns(("3d", "6h", 12, 10)), "burn_rate.rules[0].factor budget-gone"),
    (burns(("1h", "5m", 6, 10), ("6h", "30m", 6, 10)), "burn_rate.rules[1].factor burn-rate-order"),
    (burns(("1h", "15s", 14, 51)), "burn_rate.rules[0].min_people people-out-of-reach"),
    (outage(people=12_001), "outage.min_people people-out-of-reach"),
    (outage(usual=0.45, spread=1.0), "outage.usual evidence-out-of-reach"),
    (burns(("40m", "15s", 900, 10)), "burn_rate.rules[0].factor ratio-out-of-reach"),
    ("silence: {windows: [2s]}", "silence.windows[0] silence-out-of-reach"),
    ("silence: {windows: [40s], spread: 1.0}", "silence.windows[0] silence-out-of-reach"),
    (slowness(factor=20.0), "latency.rules[0].factor latency-out-of-reach"),
    (slowness(min_slow=1001), "latency.rules[0].min_slow latency-out-of-reach"),
    ("funnel: {windows: [2m, 15m], min_expected: 400}", "funnel.windows[0] funnel-out-of-reach"),
    ("funnel: {chance: 1e-20, spread: 0.5}", "funnel.windows[0] funnel-out-of-reach"),
    ("surge: {codes: {'005': {count: 1001}}}", "surge.codes.005.count surge-out-of-reach"),
    ("surge: {any_code: {count: 1001}}", "surge.any_code.count surge-out-of-reach"),
    ("surge: {user_errors: {min_people: 1001}}", "surge.user_errors.min_people surge-out-of-reach"),
    ("surge: {times_usual: 40.0}", "surge.times_usual surge-out-of-reach"),
    ("severity: {severity_1_over: 12000}", "severity.severity_1_over severity-out-of-reach"),
    ("priority: {over: [12000, 100]}", "priority.over severity-out-of-reach"),
    ("fail_over: {ssoe_below: 0.0}", "fail_over.ssoe_below advice-out-of-reach"),
    ("fail_over: {window: 20m}", "fail_over.window advice-out-of-reach"),
    ("fail_over: {sis_above: 1.0}", "fail_over.sis_above advice-out-of-reach"),
    ("banner: {min_failing_ratio: 1.0}", "banner.min_failing_ratio banner-out-of-reach"),
    # clocks
    ("retention: 65m", "retention retention-too-short"),
    ("past_limit: 1h", "past_limit past-within-retention"),
    ("watermark_delay: 1m", "skew_after skew-within-delay"),
    ("dedup_ids: 0", "dedup_ids duplicates-unseen"),
    ("dedup_horizon: 0s", "dedup_horizon duplicates-unseen"),
    ("sli_windows: [5s, 5m]", "sli_windows[0] sli-gaps"),
    ("lifecycle: {recovering_after: 8m}", "lifecycle.recovering_after recovery-too-soon"),
    ("lifecycle: {recovering_after: 0s, recover_for: 0s}", "lifecycle.recover_for recovery-too-soon"),
    ("lifecycle: {faded_after: 15m}", "lifecycle.faded_after fades-first"),
    ("lifecycle: {reopen_within: 0s}", "lifecycle.reopen_within never-reopens"),
    ("lifecycle: {resolve_grace: 30m}", "lifecycle.resolve_grace never-reopens"),
    ("lifecycle: {warning_waits: 30m}", "lifecycle.warning_waits warning-too-late"),
    ("lifecycle: {update_every: 31m}", "lifecycle.update_every updates-too-rare"),
    ("banner: {republish_every: 90s, valid_for: 3m}", "banner.republish_every banner-expires"),
    ("banner: {valid_for: 90s}", "banner.valid_for banner-expires-soon"),
    # promises
    ('codes: {"400": {means: x, counts: excluded}}', "codes.400.counts hides-server-faults"),
    ("codes: {absent: {means: x, counts: excluded}}", "codes.absent.counts hides-server-faults"),
    ('codes: {"007": {means: x, counts: excluded}}', "codes.007.counts hides-outages"),
    ('codes: {"7": {means: x, counts: excluded}}', "codes.7 code-spelling"),
    ("runbooks: {sis: https://wiki.example.com/sis}", "runbooks.sis runbook-missing"),
    ("runbooks: {prod/*/idme: http://localhost:8080}", "runbooks.prod/*/idme runbook-missing"),
    ("severity: {dwell: null}", "severity.dwell value-missing"),
    ("severity: {severity_2_over: 0}", "severity.severity_2_over severities-alike"),
    ("banner: {status: {2: critical, 3: critical}}", "banner.status severities-alike"),
    ("priority: {staging: [P3, P3, P3]}", "priority.staging severities-alike"),
    ("severity: {fall_factor: 0.05}", "severity.fall_factor severity-skipped"),
    ("severity: {dwell: 0s}", "severity.dwell severity-flutters"),
    ("severity: {fall_factor: 1.0}", "severity.fall_factor severity-flutters"),
    ("banner: {status: {1: active, 2: critical}}", "banner.status.1 banner-order"),
    ("lifecycle: {response: {2: 12h}}", "lifecycle.response.2 response-order"),
    ("lifecycle: {response: {2: 1 business day, 3: 2d}}", "lifecycle.response.2 response-order"),
    ("lifecycle: {response: {1: 20m}}", "lifecycle.alert_target alert-target"),
    # maintenance
    (
        windows(
            ("prod/ssoe", "2026-12-06T02:00:00-05:00", "2026-12-06T03:00:00-05:00"),
            ("prod/*/idme", "2026-12-06T02:59:00-05:00", "2026-12-06T03:30:00-05:00"),
        ),
        "maintenance[1] maintenance-overlaps",
    ),
    (
        windows(("prod/ssoe", "2026-11-23T08:00:00-05:00", "2026-11-23T10:00:00-05:00")),
        "maintenance[0].end maintenance-over",
    ),
    (
        # Tuesday, Wednesday, then Friday: the third business day after Monday 10:00 ends on Friday 10:00
        windows(("prod/ssoe", "2026-11-27T09:59:00-05:00", "2026-11-27T10:30:00-05:00")),
        "maintenance[0].start maintenance-notice",
    ),
    (
        windows(("prod", "2026-12-06T01:00:00-05:00", "2026-12-06T05:01:00-05:00")),
        "maintenance[0] maintenance-too-long",
    ),
    # values
    (
        "classes: [{error_class: Code*, counts: bad, means: x},"
        " {error_class: CodeInvalid, counts: excluded, means: x}]",
        "classes[1] class-tie",
    ),
    ("classes: [{code: '007', counts: excluded, means: x}]", "classes[0] class-tie"),
    ("classes: [{code: '400', counts: excluded, means: x}]", "classes[0].counts hides-server-faults"),
    ("aliases: {csp: {id-me: idmee}}", "aliases.csp.id-me alias-to-nowhere"),
    ("aliases: {env: {prd: live}}", "aliases.env.prd alias-to-nowhere"),
    ("values: {auth_method: {ssoe: {retired: 2026-11-23T15:00:00Z}}}", "objectives.ssoe retired-expected"),
    (
        "values: {auth_method: {ssoe: {retired: 2026-11-23T15:00:00Z}}}",
        "funnel.monitors.ssoe retired-expected",
    ),
    (
        "values: {client_id: {vaweb: {retired: 2026-01-01T00:00:00Z}}}",
        "banner.default_client retired-expected",
    ),
    ("values: {csp: {mhv: {banner: mhv}}}", "values.csp.mhv.banner retired-expected"),
    ("runbooks: {prod/sis/mhv: https://wiki}", "runbooks.prod/sis/mhv retired-expected"),
    ("runbooks: {dslogon: https://wiki}", "runbooks.dslogon retired-expected"),
    (
        windows(("prod/*/dslogon", "2026-12-06T02:00:00-05:00", "2026-12-06T03:00:00-05:00")),
        "maintenance[0].scope retired-expected",
    ),
    ("fail_over: {review_by: 2026-11-20T00:00:00-05:00}", "fail_over.review_by review-due"),
    # routes
    (
        "routes: [{match: {env: staging, severity: 1}, receivers: [email]}]",
        "routes[0].match.severity route-hears-nothing",
    ),
    ("routes: [{match: {kind: resolved}, receivers: [email]}]", "routes[0].match.kind route-hears-nothing"),
    (
        "routes: [{match: {env: staging, scope: prod/ssoe}, receivers: [email]}]",
        "routes[0].match.scope route-hears-nothing",
    ),
    (
        "routes: [{match: {scope: prod/*/dslogon}, receivers: [email]}]",
        "routes[0].match.scope route-hears-nothing",
    ),
    (
        "routes: [{match: {severity: [2, 3]}, receivers: [teams, email]}]",
        "routes[0].receivers[1] route-without-the-worst",
    ),
    ("routes: [{receivers: [pagerduty, teams]}]", "routes[0].receivers[0] route-adds-nothing"),
    ("routes: [{receivers: [statuspage]}]", "routes[0].receivers[0] route-makes-public"),
    # what a policy is refused for
    ("severty: {dwell: 1m}", "severty unknown-name"),
    ("runbooks: {idm: https://x}", "runbooks.idm unknown-name"),
    ("step: 1s\nstep: 2s", "step listed-twice"),
    (
        'codes:\n  "005": {means: x, counts: bad}\n  "005": {means: x, counts: excluded}',
        "codes.005 listed-twice",
    ),
    ("step: 30s\nsli_every: 15s", "sli_every window-off-step"),
    ("silence: {recover_ratio: 0.05}", "silence.recover_ratio recovery-beyond-trigger"),
    ("fail_over: {revert_at: 0.3}", "fail_over.revert_at recovery-beyond-trigger"),
    ("severity: {dwell: soon}", "severity.dwell invalid"),
]
