"""All errors of a policy are reported at once, each with its position and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.policy.source import PolicyError
from streams.settings.policy_file import default_policy, load_policy, read_policy


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "p.yaml")
    assert str(caught.value).splitlines() == [str(error) for error in caught.value.errors]
    return [str(error) for error in caught.value.errors]


def test_every_error_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
retention: 2 hours
burn_rate:
  rules:
    - {long: 1h, short: 5m, factor: 14.4, min_people: 10}
    - {long: 6h, short: 30m, factor: 6, min_people: 15}
    - {long: 1d, short: 2 h, factor: 3, min_people: 15}
severity:
  severity_1_ovr: 10
severity: {}
silence:
  windows: [1500ms]
notify: {console_url: "ftp://console"}
"""
    assert problems(text) == [
        "p.yaml:1: retention: must be a duration such as 30s, 5m or 1h30m, is '2 hours'",
        "p.yaml:6: burn_rate.rules[2].short: must be a duration such as 30s, 5m or 1h30m, is '2 h'",
        "p.yaml:8: severity.severity_1_ovr: unknown key; did you mean severity_1_over?",
        "p.yaml:9: severity: stands twice; the first is in line 7",
        "p.yaml:11: silence.windows[0]: must be a multiple of step (1s), is 1500ms",
        "p.yaml:12: notify.console_url: must be a URL that begins with https:// or http://, is 'ftp://console'",
    ]


def test_an_error_carries_file_line_column_and_path() -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy("severity:\n  dwell: 15\n", "etc/policy.yaml")
    (error,) = caught.value.errors
    assert (error.file, error.line, error.column, error.path) == ("etc/policy.yaml", 2, 3, "severity.dwell")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stp: 1s", "p.yaml:1: stp: unknown key; did you mean step?"),
        ("severity: {dwel: 1m}", "p.yaml:1: severity.dwel: unknown key; did you mean dwell?"),
        ("codes: {'005': {count: bad}}", "p.yaml:1: codes.005.count: unknown key; did you mean counts?"),
        (
            "burn_rate: {rules: [{long: 1h, short: 5m, factor: 2, min_people: 1, min_peolpe: 1}]}",
            "p.yaml:1: burn_rate.rules[0].min_peolpe: unknown key; did you mean min_people?",
        ),
        ("notify: {q: 1}", "p.yaml:1: notify.q: unknown key; known here: dedup_prefix, console_url"),
        (
            "runbooks: {idm: https://x}",
            "p.yaml:1: runbooks.idm: idm is listed nowhere; did you mean idme?",
        ),
        (
            "objectives: {oauth: {availability: 0.9, latency_threshold_ms: 9.0, latency_target: 0.9}}",
            "p.yaml:1: objectives.oauth: unknown key: values.auth_method does not list it",
        ),
        ("banner: {status: {4: active}}", "p.yaml:1: banner.status.4: must be a severity, 1, 2 or 3, is '4'"),
        ("<<: {step: 1s}", "p.yaml:1: <<: unknown key"),
        (
            "values: {csp: {idme: {nam: x}}}",
            "p.yaml:1: values.csp.idme.nam: unknown key; did you mean name?",
        ),
        (
            "values: {client_ids: {x: {name: X}}}",
            "p.yaml:1: values.client_ids: client_ids is listed nowhere; did you mean client_id?",
        ),
        (
            "runbooks: {prod/idme: https://x}",
            "p.yaml:1: runbooks.prod/idme: idme is no auth_method but a csp; did you mean prod/*/idme?",
        ),
        (
            "runbooks: {prod/sis/*/vawev: https://x}",
            "p.yaml:1: runbooks.prod/sis/*/vawev: vawev is listed nowhere; did you mean vaweb?"
            " If it is another, list it in values.client_id.",
        ),
        (
            "runbooks: {production/sis: https://x}",
            "p.yaml:1: runbooks.production/sis: production is read as prod: name prod",
        ),
        (
            "runbooks: {eks-prod: https://x}",
            "p.yaml:1: runbooks.eks-prod: eks-prod is read as prod: name prod",
        ),
        (
            "banner: {default_client: vawebb}",
            "p.yaml:1: banner.default_client: vawebb is listed nowhere; did you mean vaweb?",
        ),
        (
            "classes: [{error_class: X, step: refesh, counts: bad, means: x}]",
            "p.yaml:1: classes[0].step[0]: steps does not list refesh: it counts nowhere",
        ),
        (
            "runbooks: {prod/sis/x1/x2/x3: https://x}",
            "p.yaml:1: runbooks.prod/sis/x1/x2/x3: has 4 values below prod, and axes has 3 entries",
        ),
    ],
)
def test_an_unknown_key_is_named_with_what_was_meant(text: str, said: str) -> None:
    assert [line[: len(said)] for line in problems(text)] == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outage: 5", "outage: must be a mapping of keys to values, is 5"),
        ("severity: [1]", "severity: must be a mapping of keys to values"),
        ("sli_windows: 5m", "sli_windows: must be a list, is '5m'"),
        ("sli_windows: []", "sli_windows: must have at least 1 entries, has 0"),
        ("dedup_ids: '7'", "dedup_ids: must be a whole number, is '7'"),
        ("dedup_ids: 7.5", "dedup_ids: must be a whole number, is 7.5"),
        ("dedup_ids: true", "dedup_ids: must be a whole number, is true"),
        ("exact_people: 999", "exact_people: must be at least 1000, is 999"),
        ("exact_people: 50000001", "exact_people: must be at most 50000000, is 50000001"),
        ("outage: {spread: '3'}", "outage.spread: must be a number, is '3'"),
        ("silence: {chance: 1e999}", "silence.chance: must be a number that is not infinite"),
        ("notify: {console_url: 3}", "notify.console_url: must be text, is 3 (put it in quotes)"),
        ("codes: {'005': {counts: ignored}}", "codes.005.counts: must be 'bad' or 'excluded', is 'ignored'"),
        ("maintenance: [{scope: prod}]", "maintenance[0].start: is missing"),
        ("time_zone: Mars/Olympus", "time_zone: must be a time zone such as America/New_York"),
        (
            "classes: [{error_class: 5 x, counts: bad, means: x}]",
            "classes[0].error_class[0]: must be an error class such as CodeInvalid, or a beginning",
        ),
        ("values: {csp: {ID.me: {name: x}}}", "values.csp.ID.me: no event has the value 'ID.me'"),
        ("values: {csp: {x/y: {name: x}}}", "values.csp.x/y: no event has the value 'x/y'"),
        (f"envs: [{'e' * 65}]", "envs[0]: no event has the value 'eeee"),
        ("values: {csp: {idme: {retired: soon}}}", "values.csp.idme.retired: must be an instant"),
        ("axes: [a, b, c, d, e]", "axes: must have at most 4 entries, has 5"),
        ("axes: [event_id]", "axes[0]: event_id can be no axis"),
        ("axes: [error_class]", "axes[0]: error_class can be no axis"),
        ("axes: [client-id]", "axes[0]: must be the name of a field, such as client_id, is 'client-id'"),
        ("breakdowns: [email]", "breakdowns[0]: email identifies a person and is dropped"),
        ("max_values: 0", "max_values: must be at least 1, is 0"),
        ("max_scopes: 20000", "max_scopes: must be at most 10000, is 20000"),
        ("runbooks: {'prod/*': https://x}", "runbooks.prod/*: must be a scope such as prod/*/idme"),
        ("runbooks: {Prod/sis: https://x}", "runbooks.Prod/sis: must be a scope such as prod/*/idme"),
        ("holidays: Mars", "holidays: must be a country whose holidays are known, such as US"),
    ],
)
def test_a_wrong_type_is_told_what_it_must_be(text: str, said: str) -> None:
    assert f"p.yaml:1: {said}" in [line[: len("p.yaml:1: ") + len(said)] for line in problems(text)]


@pytest.mark.parametrize("value", ["5", "'5'", "5 m", "-5m", "m", "1h 30m", "[]", f"{'9' * 400}d", "true"])
def test_a_duration_needs_a_number_and_a_unit(value: str) -> None:
    (line,) = problems(f"retention: {value}")
    assert line.startswith("p.yaml:1: retention: must be a duration such as 30s, 5m or 1h30m, is ")
    assert len(line) < 150


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retention: 30m", "retention: must be from 1h to 1d, is 30m"),
        ("step: 2m", "step: must be from 100ms to 1m, is 2m"),
        ("outage: {spread: 2}", "outage.spread: must be at most 1.0, is 2"),
        ("outage: {false_alarm_every: 1h}", "outage.false_alarm_every: must be from 1d to 36500d, is 1h"),
        ("banner: {min_failing_ratio: 5}", "banner.min_failing_ratio: must be at most 1.0, is 5"),
        ("objectives: {sis: {availability: 1}}", "objectives.sis.availability: must be less than 1.0, is 1"),
        ("silence: {windows: [2h]}", "silence.windows[0]: must be from 1s to 1h, is 2h"),
        ("codes: {'': {means: x, counts: bad}}", "codes.: must not be empty"),
    ],
)
def test_a_value_out_of_range_is_told_the_range(text: str, said: str) -> None:
    assert [line[: len("p.yaml:1: ") + len(said)] for line in problems(text)] == [f"p.yaml:1: {said}"]


RULE = "{long: 1h, short: 5m, factor: 14.4, min_people: 10}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step: 7s", "step: must divide a minute, is 7s"),
        ("step: 12s", "silence.windows[0]: must be a multiple of step (12s), is 40s"),
        ("sli_every: 1500ms", "sli_every: must be a multiple of step (1s), is 1500ms"),
        ("fail_over: {window: 90500ms}", "fail_over.window: must be a multiple of step (1s), is 90500ms"),
        (
            "burn_rate: {rules: [{long: 1h, short: 5500ms, factor: 2, min_people: 1}]}",
            "burn_rate.rules[0].short: must be a multiple of step (1s), is 5500ms",
        ),
        (
            "burn_rate: {rules: [{long: 1h, short: 1h, factor: 2, min_people: 1}]}",
            "burn_rate.rules[0].short: must be shorter than long (1h), is 1h",
        ),
        (
            "burn_rate: {rules: [{long: 61m, short: 1h, factor: 2, min_people: 1}]}",
            "burn_rate.rules[0].long: beyond 1h must be a multiple of 5m, which the history is kept in",
        ),
        (
            f"burn_rate: {{rules: [{RULE}, {RULE}]}}",
            "burn_rate.rules[1]: another rule has the same two windows",
        ),
        (
            "funnel: {recover_at: 0.6}",
            "funnel.recover_at: must be more than fires_below (0.7), is 0.6: a finding would come and go",
        ),
        (
            "funnel: {fires_below_unlearned: 0.8}",
            "funnel.fires_below_unlearned: must not be more than fires_below (0.7), is 0.8",
        ),
        (
            "funnel: {monitors: {ssoe: {window: 10m}}}",
            "funnel.monitors.ssoe.window: must be one of the windows of the funnel",
        ),
        (
            "funnel: {monitors: {ssoe: {recover_at: 0.5}}}",
            "funnel.monitors.ssoe.recover_at: must be more than below (0.5), is 0.5",
        ),
        ("funnel: {delays: [0s, 1500ms]}", "funnel.delays[1]: must be a multiple of step (1s), is 1500ms"),
        ("funnel: {delays: [1m, 60s]}", "funnel.delays[1]: stands twice: 1m"),
        (
            "surge: {codes: {'005': {recover_below: 50}}}",
            "surge.codes.005.recover_below: must be less than count (50), is 50",
        ),
        (
            "surge: {any_code: {min_people: 31}}",
            "surge.any_code.min_people: must not be more than count (30), is 31",
        ),
        (
            "surge: {user_errors: {recover_below: 0.1}}",
            "surge.user_errors.recover_below: must be less than ratio (0.1), is 0.1",
        ),
        (
            "surge: {codes: {'666': {count: 9, recover_below: 2, min_people: 3}}}",
            "surge.codes.666: unknown key",
        ),
        ("silence: {windows: [1m, 60s]}", "silence.windows[1]: stands twice: 1m"),
        (
            "severity: {severity_1_over: 40}",
            "severity.severity_2_over: must be less than severity_1_over (40)",
        ),
        ("axes: [csp, csp]", "axes[1]: stands twice: csp"),
        ("breakdowns: [acr, csp]", "breakdowns[1]: csp is an axis, and its values are scopes already"),
        ("envs: [prod, prod]", "envs[1]: stands twice: prod"),
        ("steps: {session: [refresh, callback]}", "steps.session[1]: callback stands in sign_in too"),
        ("steps: {machine: [sts, sts]}", "steps.machine[1]: stands twice: sts"),
        ("outcomes: {neutral: [redirect, failure]}", "outcomes.neutral[1]: failure stands in failure too"),
        (
            "aliases: {csp: {a1: b1, b1: idme}}",
            "aliases.csp.a1: leads to b1, which is an alias itself: name idme",
        ),
        ("aliases: {csp: {mhv: idme}}", "aliases.csp.mhv: values.csp lists mhv as a value of its own"),
        (
            "classes: [{counts: bad, means: x}]",
            "classes[0]: must test one of error_class, step, code, missing",
        ),
        (
            "classes: [{step: [token, token], counts: bad, means: x}]",
            "classes[0].step[1]: stands twice: token",
        ),
        ("fail_over: {revert_at: 0.3}", "fail_over.revert_at: must be at least ssoe_below (0.4)"),
        ("banner: {valid_for: 60s}", "banner.valid_for: must be longer than republish_every (1m)"),
        (
            "business_hours: {closed: {2026-2-30: x}}",
            "business_hours.closed.2026-2-30: must be a day such as 2025-12-26, is '2026-2-30'",
        ),
        ("business_hours: {opens: 21h}", "business_hours.closes: must be after opens (21h)"),
        ("priority: {over: [10, 100]}", "priority.over: must fall"),
        ("priority: {prod: [P3, P2, P1]}", "priority.prod: must not become more urgent with fewer people"),
        (
            "lifecycle: {response: {1: 5h}}",
            "lifecycle.response.1: must not be longer than that of a lesser severity",
        ),
        (
            "maintenance: [{scope: dev, description: x, start: 2026-12-06T04:00:00Z,"
            " end: 2026-12-06T04:00:00Z}]",
            "maintenance[0].end: must be after start",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(text: str, said: str) -> None:
    assert problems(text)[0].startswith(f"p.yaml:1: {said}")


def test_a_code_listed_twice_is_refused() -> None:
    text = "codes:\n  '005': {means: a, counts: bad}\n  \"005\": {means: b, counts: excluded}\n"
    assert problems(text) == ["p.yaml:3: codes.005: stands twice; the first is in line 2"]


def test_the_other_sections_are_still_compared_when_one_is_wrong_in_itself() -> None:
    said = problems("severity: {dwell: x}\nsilence: {windows: [1500ms]}\n")
    assert [line.split(": ")[1] for line in said] == ["severity.dwell", "silence.windows[0]"]


def test_a_value_that_the_file_leaves_out_is_placed_at_its_section() -> None:
    assert problems("\n\nseverity:\n  severity_1_over: 40\n")[0].startswith(
        "p.yaml:3: severity.severity_2_over:"
    )


@pytest.mark.parametrize("text", ["- 1", "step", "7"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert problems(text) == ["p.yaml:1: must be a mapping of sections, such as severity: {...}"]


def test_a_file_that_cannot_be_read_is_an_error_of_the_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"absent\.yaml:1: cannot be read: No such file or directory"):
        load_policy(tmp_path / "absent.yaml")


def test_a_policy_is_loaded_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"\xef\xbb\xbfseverity: {severity_2_over: 25}\n")
    policy = load_policy(file)
    assert policy.severity.severity_2_over == 25
    assert policy.severity.severity_1_over == default_policy().severity.severity_1_over


def test_a_value_that_is_like_no_listed_one_is_taken_as_it_stands() -> None:
    policy = read_policy(
        "runbooks: {qa/okta/*/portal: https://x, okta: https://y}\n"
        "maintenance: [{scope: prod/*/passkeys, start: 2026-12-06T02:00:00Z, end: 2026-12-06T04:00:00Z,"
        " description: x}]",
        "p.yaml",
    )
    assert policy.runbook("qa/okta/*/portal") == "https://x"
    assert policy.runbook("prod/okta") == "https://y"


def test_a_value_that_is_like_a_listed_one_is_taken_once_it_is_listed() -> None:
    policy = read_policy(
        "values: {client_id: {vaweb2: {kind: web}}}\nrunbooks: {vaweb2: https://x}", "p.yaml"
    )
    assert policy.runbook("prod/*/*/vaweb2") == "https://x"
    assert policy.name_of("client_id", "vaweb2") == "vaweb2"


def test_axes_may_be_other_fields_whose_values_are_not_listed() -> None:
    policy = read_policy("axes: [realm]\nbreakdowns: []\nrunbooks: {prod/staff: https://x}", "p.yaml")
    assert policy.axes == ("realm",)
    assert policy.runbook("prod/staff") == "https://x"


def test_lists_are_taken_as_written_and_mappings_are_completed() -> None:
    policy = read_policy(f"burn_rate: {{rules: [{RULE}]}}\ncodes: {{005: {{counts: bad}}}}", "p.yaml")
    assert len(policy.burn_rate.rules) == 1
    assert policy.burn_rate.confidence == default_policy().burn_rate.confidence
    assert policy.codes.excluded == default_policy().codes.excluded - {"005"}
