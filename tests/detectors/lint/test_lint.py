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
from detectors.policy.source import Refusal, read_source
from streams.settings.policy_file import default_policy, shipped_values
from tests.detectors.lint.tripped import TRIPPED, burns, outage, windows
from tests.support.depth import examples

NOW = parse_instant("2026-11-23T15:00:00Z")  # Monday, 10:00 in New York; Thursday is Thanksgiving
SHIPPED = resources.files("detectors").joinpath("default_policy.yaml").read_bytes()


def findings(text: str | bytes, peak: int = PEAK) -> list[Finding]:
    return lint(text, "p.yaml", shipped_values(), now=NOW, peak=peak)


def said(text: str | bytes, peak: int = PEAK) -> list[str]:
    """Return path and rule of each finding."""
    return [f"{one.path} {one.rule}" for one in findings(text, peak)]


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
    "evidence-out-of-reach",
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
    "class-tie",
    "alias-to-nowhere",
    "retired-expected",
    "review-due",
    "route-hears-nothing",
    "route-without-the-worst",
    "route-adds-nothing",
    "route-makes-public",
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
        outage(people=12_000),
        outage(usual=0.2, spread=0.5),
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
        "fail_over: {review_by: 2026-11-23T10:00:01-05:00}",
        "values: {auth_method: {ssoe: {retired: 2026-11-23T15:00:01Z}}}",
        "values: {csp: {mhv: {banner: mhv, retired: never}}}",
        "aliases: {csp: {id-me: idme}, client_id: {web: vaweb}}",
        # more fields, or a class beside a step, decide between two rules
        "classes: [{error_class: Code*, counts: bad, means: x}, {error_class: CodeInvalid, step: token,"
        " counts: excluded, means: x}, {step: token, counts: bad, means: x}]",
        "classes: [{error_class: Code*, step: callback, counts: bad, means: x}, {error_class: CodeInvalid,"
        " step: token, counts: excluded, means: x}]",
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
        "p.yaml:3: severity.fall_factor: warning: severity falls and rises at the same number of people"
        " [severity-flutters]",
        "p.yaml:5: banner.valid_for: warning: 90s is less than twice republish_every (1m): one lost message"
        " lets the banner expire [banner-expires-soon]",
    ]
    assert findings(text)[0].as_json() == {
        "type": "finding",
        "file": "p.yaml",
        "line": 3,
        "column": 3,
        "path": "severity.fall_factor",
        "rule": "severity-flutters",
        "severity": "warning",
        "message": "severity falls and rises at the same number of people",
    }


def test_sound_sections_are_linted_beside_broken_ones() -> None:
    text = "severity: {dwel: 1m, fall_factor: 1.0}\nbanner: {valid_for: 90s}\n"
    assert said(text) == ["severity.dwel unknown-name", "banner.valid_for banner-expires-soon"]


def test_a_value_that_the_file_leaves_out_is_found_at_the_nearest_thing_it_says() -> None:
    found = findings("# nothing\n\noutage: {spread: 0.15}\n", peak=2)
    assert (3, "outage.min_people") in [(one.line, one.path) for one in found]


def test_a_quieter_place_is_asked_about_its_own_peak() -> None:
    assert said(outage(people=1440), peak=1440) == [
        line for line in said("{}", peak=1440) if not line.startswith("outage.")
    ]
    assert "outage.min_people people-out-of-reach" in said(outage(people=1441), peak=1440)


def test_a_method_and_a_cause_without_a_runbook_are_named() -> None:
    policy = default_policy().model_copy(update={"runbooks": {"sis": "sis_web", "silence": "silence"}})
    found = check(Ground(policy, read_source("{}", "p.yaml"), default_policy(), NOW))
    named = [one.message.partition(":")[0].removeprefix("has no runbook for ") for one in found]
    assert [name for name, one in zip(named, found, strict=True) if one.rule == "runbook-missing"] == [
        *("ssoe", "idme", "logingov"),
        *("funnel", "latency", "surge", "session", "blind", "rejected", "all else"),
    ]


def test_a_runbook_that_does_not_ship_is_an_error_that_names_the_nearest() -> None:
    (found,) = findings("runbooks: {idme: logingv}")
    assert (found.path, found.severity) == ("runbooks.idme", "error")
    assert "did you mean logingov?" in found.message


@pytest.mark.parametrize("text", [b"\xff\xfe", "a: [", "a: &a [*a]"])
def test_what_is_no_document_is_an_error(text: str | bytes) -> None:
    assert {one.severity for one in findings(text)} == {"error"}


def _scalars(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, below in value.items() for found in _scalars(below, (*path, key))]
    if isinstance(value, list):
        return [found for i, below in enumerate(value) for found in _scalars(below, (*path, i))]
    return [path]


VALUES = json.loads(default_policy().canonical())
WORDS = ["1ms", "1s", "1m", "1h", "1d", "35d", "0s", "1 business day", "P1", "active", "excluded", "prod"]


@settings(max_examples=examples(60))
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
