"""Numbers of the incident log in words."""

from __future__ import annotations

from typing import Any

import pytest

from streams.explain.evidence import measured, scope_decision, severity_figure
from streams.records.log_lines import Evidence, Line
from streams.settings.policy_file import default_policy
from tests.sinks.samples import NAMES

BURN = {
    "long_ms": 3_600_000,
    "short_ms": 300_000,
    "factor": 14.4,
    "budget": 0.001,
    "burn_rate_long": 26.8,
    "burn_rate_short": 54.9,
    "surely_above": 0.0152,
    "people": 20.0,
    "completed": 745.0,
    "min_people": 10,
    "budget_gone_in_days": 1.12,
}
FUNNEL = {
    "window_ms": 120_000,
    "started": 143.0,
    "returned": 25.0,
    "expected": 98.7,
    "return_ratio": 0.174825,
    "usual_ratio": 0.69,
    "limit_ratio": 0.483,
    "chance": 3.1e-08,
    "threshold": 1e-06,
}
FUNNEL_NUMBERS = (
    "window 2m, started 143.0, returned 25.0, expected 98.7, return ratio 0.174825, limit ratio 0.483, chance 3.1e-08,"
    " threshold 1e-06"
)
SURGE = {
    "window_ms": 300_000,
    "code": "005",
    "counts": "excluded",
    "count": 51,
    "people": 48,
    "completed": 413,
    "share": 0.117073,
    "surely_above": 0.082,
    "threshold": 0.0165,
    "least": 50,
    "min_people": 12,
    "usual_ratio": 0.0055,
}
LATENCY = {
    "long_ms": 300_000,
    "short_ms": 60_000,
    "factor": 5.0,
    "budget": 0.05,
    "slow_ratio": 0.3072,
    "slow_ratio_short": 0.82,
    "surely_above": 0.2514,
    "threshold": 0.25,
}
SILENCE = {
    "window_ms": 40_000,
    "arrived": 6.0,
    "usual": 120.4,
    "expected": 118.0,
    "level": 0.98,
    "chance": 1.2e-20,
    "threshold": 1e-7,
}
OUTAGE = {
    "window_ms": 15_000,
    "good": 10,
    "bad": 7,
    "people": 7,
    "failing_ratio": 0.411765,
    "evidence": 35.6,
    "needed": 21.65,
    "min_people": 3,
    "usual_ratio": 0.0005,
}


def evidence(detector: str, numbers: dict[str, Any], scope: str = "prod/ssoe") -> Evidence:
    return Evidence(detector=detector, scope=scope, sentence="It fires", numbers=numbers)


def line(**fields: Any) -> Line:
    return Line(**{"kind": "opened", "at": "2026-11-23T15:00:00Z", "scope": "prod/ssoe", **fields})


@pytest.mark.parametrize(
    ("detector", "numbers", "words"),
    [
        (
            "outage",
            OUTAGE,
            "Counted in people, 41.2% of those who came through in 15s failed; usually 0.05% do. That is evidence of"
            " 35.6 nats (a likelihood 10^15 times as high); 21.6 nats, of at least 3 people, are an outage.",
        ),
        (
            "outage",
            OUTAGE | {"failing_ratio": 1, "evidence": 53.2},
            "Counted in people, 100% of those who came through in 15s failed; usually 0.05% do. That is evidence of"
            " 53.2 nats (a likelihood 10^23 times as high); 21.6 nats, of at least 3 people, are an outage.",
        ),
        (
            "burn_rate",
            BURN,
            "The month's budget of 0.1% burns 26.8 times too fast in 1h, with allowance for chance 15.2 times, and"
            " 54.9 times in 5m. The rule asks for 14.4 times in both, and for 10 people. Going on so, it is gone in"
            " 1.1 days.",
        ),
        (
            "silence",
            SILENCE,
            "In 40s 6 came; 120 are usual at this time of the week, 118 at the level of the time before. So few come"
            " by chance with probability 1.2e-20; at most 1e-07 is taken for silence.",
        ),
        (
            "silence",
            SILENCE | {"completing": 0.72},
            "In 40s 6 came; 120 are usual at this time of the week, 118 at the level of the time before. So few come"
            " by chance with probability 1.2e-20; at most 1e-07 is taken for silence. 72% of those who start usually"
            " complete.",
        ),
        (
            "silence",
            SILENCE | {"usual": None},
            "In 40s 6 came; 118 at the level of the time before. So few come by chance with probability 1.2e-20; at"
            " most 1e-07 is taken for silence.",
        ),
        (
            "latency",
            LATENCY,
            "30.7% of the requests were slow in 5m, with allowance for chance more than 25.1%, and 82% in 1m. The"
            " rule asks for more than 25% in both: 5 times the 5% that may be.",
        ),
        (
            "funnel",
            FUNNEL,
            "In 2m 25 came back of 143 who had started a while before; 69% usually do, which makes 99. Fewer than"
            " 48.3% is too few; if as many as that came back, so few would by chance with probability 3.1e-08, and"
            " at most 1e-06 is no chance.",
        ),
        ("funnel", FUNNEL | {"usual_ratio": None}, "Its numbers: " + FUNNEL_NUMBERS + "."),
        (
            "surge",
            SURGE,
            "48 people failed with the code 005 51 times in 5m: 11.7% of those who came back, with allowance for"
            " chance more than 8.2%. 0.55% is usual; more than 1.65%, 50 times or more often and of at least 12"
            " people, is a surge. Such failures do not count against the service.",
        ),
        (
            "surge",
            SURGE | {"code": None, "counts": "bad"},
            "48 people failed with an error of the users 51 times in 5m: 11.7% of those who came back, with"
            " allowance for chance more than 8.2%. 0.55% is usual; more than 1.65%, 50 times or more often and of"
            " at least 12 people, is a surge. Such failures count against the service.",
        ),
        (
            "surge",
            {"window_ms": 300_000, "count": 60, "code": "005", "gain": 3},
            "Its numbers: window 5m, count 60, code 005.",
        ),
        ("outage", {"window_ms": 15_000, "people": 7}, "Its numbers: window 15s, people 7."),
        ("declared", {}, ""),
    ],
)
def test_what_a_detector_measured_is_told(detector: str, numbers: dict[str, Any], words: str) -> None:
    assert measured(evidence(detector, numbers)) == words


@pytest.mark.parametrize(
    ("detector", "scope", "explains", "words"),
    [
        ("outage", "prod", "", "All sign-in fails as one."),
        ("silence", "prod/sis", "", "SiS sign-in has fallen silent as one."),
        ("latency", "prod/sis", "", "SiS sign-in is slow as one."),
        (
            "outage",
            "prod/*/idme",
            "prod,prod/ssoe",
            "ID.me on both sign-in methods fails as one. What is found on prod and prod/ssoe is a symptom of the same.",
        ),
        (
            "outage",
            "staging/ssoe",
            "staging",
            "SSOe sign-in in staging fails as one. What is found on staging is a symptom of the same.",
        ),
    ],
)
def test_the_choice_of_a_scope_is_told(detector: str, scope: str, explains: str, words: str) -> None:
    numbers = {"explains": explains, "gain": 0.0}
    assert scope_decision(line(evidence=(evidence(detector, numbers, scope),)), NAMES) == words


def test_many_symptoms_are_cut_short_and_a_gain_is_told_as_a_likelihood() -> None:
    numbers = {"explains": ",".join(f"prod/{i}" for i in range(9)), "gain": 4.6}
    words = scope_decision(line(evidence=(evidence("outage", numbers),)), NAMES)
    assert "prod/0, prod/1, prod/2, prod/3, prod/4 and 4 more scopes" in words
    assert "by 5 nats (a likelihood 99 times as high)" in words


def test_a_line_without_evidence_of_it_says_nothing_of_the_scope() -> None:
    assert scope_decision(line(), NAMES) == ""
    assert scope_decision(line(evidence=(evidence("outage", OUTAGE),)), NAMES) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"severity": 3, "basis": "observed", "users_impacted": 1},
            "1 person an hour (observed: everybody who has failed since the first failure, at most an hour back); no"
            " more than 50 is severity 3.",
        ),
        (
            {"severity": 1, "basis": "observed", "users_impacted": 2_104_000, "users_impacted_error": 0.0019},
            "2,104,000 people an hour (observed, ±0.19%: everybody who has failed since the first failure, at most an"
            " hour back); more than 1,000 is severity 1.",
        ),
        (
            {"severity": 2, "basis": "estimated", "users_impacted": 1000},
            "1,000 people an hour (estimated: those who would have completed by what is usual, less those who did);"
            " more than 50 and no more than 1,000 is severity 2.",
        ),
        (
            {"severity": 1, "basis": "observed", "users_impacted": 900},
            "900 people an hour (observed: everybody who has failed since the first failure, at most an hour back);"
            " more than 50 and no more than 1,000 is severity 2, and it stays 1 until the figure has been below 80% of"
            " the threshold for 15m.",
        ),
        (
            {"severity": 3, "basis": "observed", "users_impacted": 5000, "scope": "staging"},
            "5,000 people an hour (observed: everybody who has failed since the first failure, at most an hour back)."
            " Outside prod it is always severity 3.",
        ),
    ],
)
def test_a_severity_is_told_with_its_figure(fields: dict[str, Any], words: str) -> None:
    assert severity_figure(line(**fields), default_policy()) == words


def test_without_the_policy_no_threshold_is_made_up() -> None:
    words = severity_figure(line(severity=1, basis="projected", users_impacted=2000), None)
    assert words == (
        "2,000 people an hour (projected: those so far and, for the rest of the hour, new ones as in the last minutes,"
        " at the lower bound): severity 1."
    )
