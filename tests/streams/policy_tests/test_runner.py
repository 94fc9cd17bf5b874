"""Playing a test: the real engine sees what the series say, for as long as the test lasts."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.instants import HOUR, MINUTE, SECOND, parse_instant
from streams.policy_tests.document import DEFAULT_START, PolicyTest
from streams.policy_tests.runner import Run, run_test
from streams.settings.policy_file import default_policy, read_policy

START = parse_instant(DEFAULT_START)
FAILING = "prod/ssoe/idme sign_in success 2/s x 2m, failure 007 2/s x 3m"


def played(*series: str, policy: str = "{}", **test: Any) -> Run:
    described = PolicyTest.model_validate(
        {"name": "x", "series": series, "absent": [{"incidents": [{}]}], **test}
    )
    return run_test(described, read_policy(policy, "p.yaml"), START)


def kinds(run: Run) -> list[str]:
    return [transition.kind for transition in run.transitions]


def test_every_event_counts_and_the_test_ends_with_the_longest_series() -> None:
    run = played(FAILING, "prod/sis refresh success 1/s x 6m")
    assert run.until == START + 6 * MINUTE
    assert run.events == 2 * 2 * 300 + 360


def test_findings_incidents_messages_and_banners_are_noted() -> None:
    run = played(FAILING)
    (_, *changes) = run.findings["outage", "prod/ssoe"]
    (fired,) = [change for change in changes if change.state == "firing"]
    assert 0 < fired.at - START - 2 * MINUTE <= 20 * SECOND
    assert "sign-ins failed" in fired.sentence
    assert run.standing(fired.at - SECOND) == ()
    assert run.standing(START + 5 * MINUTE)[0].id == "prod-1"
    assert run.commands[0].at == run.transitions[0].at
    assert [change.status for change in run.banners["prod/ssoe"]] == ["critical"]


def test_nothing_is_noted_of_what_comes_after_the_end() -> None:
    run = played(FAILING, until="2m30s")
    assert run.until == START + 150 * SECOND
    assert kinds(run) == ["opened", "declared"]
    assert all(change.at <= run.until for known in run.findings.values() for change in known)


@pytest.mark.long
def test_time_goes_on_after_the_last_event() -> None:
    run = played(FAILING, until="1h")
    (incident,) = run.standing(START + HOUR)
    assert incident.state == "open"  # nobody has come through since
    assert kinds(run)[-1] in ("update", "reminder", "breach")
    assert run.transitions[-1].at > START + 30 * MINUTE


def test_an_end_between_two_steps_is_the_step_before() -> None:
    assert played(FAILING, until="61500ms").until == START + 61 * SECOND
    assert played(FAILING, until="62s", policy="step: 5s").until == START + 60 * SECOND


def test_what_people_ask_for_applies_at_the_next_step() -> None:
    inputs = [
        {"at": "179500ms", "kind": "acknowledge", "incident": "prod-1", "by": "Ada", "via": "pagerduty"},
        {"at": "3m20s", "kind": "resolve", "incident": "prod-1", "by": "Ada", "text": "false alarm"},
    ]
    run = played(FAILING, inputs=inputs)
    taken, resolved = (
        next(t for t in run.transitions if t.kind == kind) for kind in ("acknowledged", "said_resolved")
    )
    assert (taken.at, taken.by, taken.via) == (START + 180 * SECOND, "Ada", "pagerduty")
    assert resolved.at == START + 200 * SECOND
    assert "false alarm" in resolved.reason


def test_a_declaration_opens_an_incident_where_nothing_fails() -> None:
    one = {"at": "1m", "kind": "declare", "scope": "prod/sis", "by": "Ada"}
    run = played("prod/sis/idme sign_in success 2/s x 2m", inputs=[one])
    assert run.standing(START + MINUTE)[0].scope == "prod/sis"


def test_the_history_says_what_to_expect() -> None:
    series = "prod/ssoe/idme sign_in success 2/s x 10m"
    assert kinds(played(series, until="15m")) == []
    run = played(series, until="15m", history=["prod/ssoe/idme sign_in success 2/s"])
    assert kinds(run)[0] == "opened"
    assert run.transitions[0].incident.basis == "estimated"


def test_the_policy_of_the_test_is_in_force() -> None:
    wide = "severity: {severity_1_over: 11000, severity_2_over: 10}"
    assert {t.incident.severity for t in played(FAILING, policy=wide).transitions} == {2}
    high = "severity: {severity_1_over: 11000, severity_2_over: 10000}"
    assert {t.incident.severity for t in played(FAILING, policy=high).transitions} == {3}


def test_the_same_test_is_played_alike_twice() -> None:
    assert default_policy().hash == read_policy("{}", "p.yaml").hash
    assert played(FAILING) == played(FAILING)
