"""Each lint rule finds faults where it applies, and nothing where it does not."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.instants import parse_instant
from detectors.lint.lint import INVALID, RULES, Finding, check, lint
from detectors.lint.rule import PEAK, Ground
from detectors.policy.source import PolicyError, Refusal, read_source
from streams.settings.policy_file import default_policy, shipped_values
from tests.support.depth import examples

NOW = parse_instant("2026-11-23T15:00:00Z")  # Monday, 10:00 in New York; Thursday is Thanksgiving
SHIPPED = resources.files("detectors").joinpath("default_policy.yaml").read_bytes()


def findings(text: str | bytes, peak: int = PEAK) -> list[Finding]:
    return lint(text, "p.yaml", shipped_values(), now=NOW, peak=peak)


def said(text: str | bytes, peak: int = PEAK) -> list[str]:
    """Return path and rule of each finding."""
    return [f"{one.path} {one.rule}" for one in findings(text, peak)]


def outage(window: str = "15s", people: int = 6, ratio: float = 0.15) -> str:
    rule = {"window": window, "min_people": people, "failing_ratio": ratio, "recover_below": ratio / 2}
    return json.dumps({"outage": {"rules": [rule]}})


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
    (outage(people=51), "outage.rules[0].min_people people-out-of-reach"),
    (outage(ratio=0.9), "outage.rules[0].failing_ratio ratio-out-of-reach"),
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


def test_the_shipped_policy_is_clean() -> None:
    assert findings(SHIPPED) == []


@pytest.mark.parametrize(("text", "finding"), TRIPPED)
def test_a_rule_finds_what_it_is_for(text: str, finding: str) -> None:
    assert finding in said(text)


def test_every_rule_has_an_example_that_trips_it() -> None:
    known = {rule.id for rule in RULES} | set(INVALID)
    tripped = {finding.rpartition(" ")[2] for _, finding in TRIPPED}
    assert known == tripped
    assert len(known) == len(RULES) + len(INVALID), "two rules have one name"


IDS = [
    "burn-rate-out-of-reach",
    "budget-gone",
    "burn-rate-order",
    "people-out-of-reach",
    "ratio-out-of-reach",
    "silence-out-of-reach",
    "latency-out-of-reach",
    "funnel-out-of-reach",
    "surge-out-of-reach",
    "severity-out-of-reach",
    "advice-out-of-reach",
    "banner-out-of-reach",
    "retention-too-short",
    "past-within-retention",
    "skew-within-delay",
    "duplicates-unseen",
    "sli-gaps",
    "recovery-too-soon",
    "fades-first",
    "never-reopens",
    "warning-too-late",
    "updates-too-rare",
    "banner-expires",
    "banner-expires-soon",
    "hides-server-faults",
    "hides-outages",
    "code-spelling",
    "runbook-missing",
    "value-missing",
    "severities-alike",
    "severity-skipped",
    "severity-flutters",
    "banner-order",
    "response-order",
    "alert-target",
    "maintenance-overlaps",
    "maintenance-over",
    "maintenance-notice",
    "maintenance-too-long",
]
REFUSALS = ["unknown-name", "listed-twice", "window-off-step", "recovery-beyond-trigger", "invalid"]


def test_the_ids_of_rules_stay_as_people_filter_for_them() -> None:
    assert [rule.id for rule in RULES] == IDS
    assert list(INVALID) == REFUSALS == list(get_args(Refusal))


@pytest.mark.parametrize(
    "words",
    [
        "unknown key",
        "is neither a scope nor a service",
        "must be an auth method",
        "must be a scope",
        "must be a severity",
        "stands twice",
        "another rule has",
        "must be a multiple of step",
        "must divide a minute",
        "would come and go",
        "comes and goes",
    ],
)
def test_no_id_depends_on_the_value_that_a_message_repeats(words: str) -> None:
    wrong = {
        "time_zone": words,
        "holidays": words,
        "severity": {"dwell": words},
        "lifecycle": {"response": {"1": words}},
        "notify": {"console_url": words},
        "codes": {"005": {"means": "x", "counts": words}},
        words: 1,
    }
    assert sorted(said(json.dumps(wrong))) == sorted(
        [
            "time_zone invalid",
            "holidays invalid",
            "severity.dwell invalid",
            "lifecycle.response.1 invalid",
            "notify.console_url invalid",
            "codes.005.counts invalid",
            f"{words} unknown-name",
        ]
    )


@pytest.mark.parametrize(
    "text",
    [
        burns(("1h", "5m", 900, 10)).replace("1h", "40m"),
        burns(("3d", "6h", 9.9, 10)),
        burns(("1h", "5m", 6, 10), ("6h", "30m", 5.9, 10)),
        outage(people=50),
        outage(ratio=0.88),
        "silence: {windows: [12s], spread: 0.1}",
        "severity: {severity_1_over: 11999}",
        "retention: 3902s",
        "lifecycle: {recovering_after: 450s}",
        "lifecycle: {faded_after: 901s}",
        "lifecycle: {resolve_grace: 29m}",
        "lifecycle: {update_every: 30m}",
        "lifecycle: {response: {2: 11h}}",
        "banner: {republish_every: 30s, valid_for: 61s}",
        "banner: {valid_for: 2m}",
        'codes: {"500": {means: broken, counts: bad}, "0x7": {means: odd, counts: excluded}}',
        'codes: {"005": {means: surge, counts: bad}}',
        "severity: {fall_factor: 0.051}",
        "runbooks: {sis: https://test-example.va.gov/example.com/localhost}",
        "maintenance:",
        # two methods at one time, and one after another, do not overlap; four hours to the minute may be used
        windows(
            ("prod/ssoe", "2026-12-06T01:00:00-05:00", "2026-12-06T03:00:00-05:00"),
            ("prod/sis", "2026-12-06T01:00:00-05:00", "2026-12-06T05:00:00-05:00"),
            ("prod/ssoe/idme", "2026-12-06T03:00:00-05:00", "2026-12-06T05:00:00-05:00"),
            ("staging", "2026-12-06T01:00:00-05:00", "2026-12-07T01:00:00-05:00"),
        ),
        # a window over the end of a month belongs to both
        windows(("prod", "2026-11-30T20:30:00-05:00", "2026-12-01T03:30:00-05:00")),
        windows(("prod/ssoe", "2026-11-27T10:00:00-05:00", "2026-11-27T10:30:00-05:00")),
    ],
)
def test_what_stays_just_within_a_rule_is_clean(text: str) -> None:
    assert said(text) == []


def test_a_finding_says_where_what_and_by_which_rule() -> None:
    text = "severity:\n  dwell: 15m\n  fall_factor: 1.0\nbanner:\n  valid_for: 90s\n"
    assert [str(one) for one in findings(text)] == [
        "p.yaml:3: severity.fall_factor: warning: severity falls at the very figure at which it rises"
        " [severity-flutters]",
        "p.yaml:5: banner.valid_for: warning: should be at least twice republish_every (1m), so that one lost"
        " message does no harm; is 90s [banner-expires-soon]",
    ]
    assert findings(text)[0].as_json() == {
        "type": "finding",
        "file": "p.yaml",
        "line": 3,
        "column": 3,
        "path": "severity.fall_factor",
        "rule": "severity-flutters",
        "severity": "warning",
        "message": "severity falls at the very figure at which it rises",
    }


def test_sound_sections_are_linted_beside_broken_ones() -> None:
    text = "severity: {dwel: 1m, fall_factor: 1.0}\nbanner: {valid_for: 90s}\n"
    assert said(text) == ["severity.dwel unknown-name", "banner.valid_for banner-expires-soon"]


def test_a_value_that_the_file_leaves_out_is_found_at_the_nearest_thing_it_says() -> None:
    found = findings("# nothing\n\noutage: {confidence: 2.6}\n", peak=1000)
    assert (3, "outage.rules[0].min_people") in [(one.line, one.path) for one in found]


def test_a_quieter_place_is_asked_about_its_own_peak() -> None:
    assert said(outage(people=6), peak=1440) == [
        line for line in said("{}", peak=1440) if not line.startswith("outage.")
    ]
    assert "outage.rules[0].min_people people-out-of-reach" in said(outage(people=7), peak=1440)


def test_a_method_without_a_runbook_is_named() -> None:
    policy = default_policy().model_copy(update={"runbooks": {}})
    found = check(Ground(policy, read_source("{}", "p.yaml"), default_policy(), NOW))
    assert [one.message.split()[3] for one in found if one.rule == "runbook-missing"] == [
        "ssoe:",
        "sis:",
        "idme:",
        "logingov:",
        "mhv:",
        "dslogon:",
    ]


@pytest.mark.parametrize("text", [b"\xff\xfe", "a: [", "a: &a [*a]"])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(PolicyError):
        findings(text)


def _scalars(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, below in value.items() for found in _scalars(below, (*path, key))]
    if isinstance(value, list):
        return [found for i, below in enumerate(value) for found in _scalars(below, (*path, i))]
    return [path]


VALUES = json.loads(default_policy().canonical())
WORDS = ["1ms", "1s", "1m", "1h", "1d", "35d", "0s", "1 business day", "P1", "active", "excluded", "prod"]


@settings(max_examples=examples(150))
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(_scalars(VALUES)),
            st.one_of(
                st.sampled_from(WORDS), st.integers(-1, 10**6), st.floats(0, 1), st.none(), st.booleans()
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    peak=st.integers(1, 10**6),
)
def test_whatever_a_policy_says_lint_answers_with_findings_in_the_order_of_the_text(
    changes: list[tuple[tuple[Any, ...], Any]], peak: int
) -> None:
    values = json.loads(default_policy().canonical())
    for (*way, last), value in changes:
        here = values
        for part in way:
            here = here[part]
        here[last] = value
    found = findings(json.dumps(values, indent=1), peak)
    assert [one.line for one in found] == sorted(one.line for one in found)
    assert all(one.severity in ("error", "warning") and one.message for one in found)
