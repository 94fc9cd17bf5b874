"""Operators read each transition of an incident once, with the sentence, with receivers on or off."""

from __future__ import annotations

from structlog.testing import capture_logs

from streams.evaluate.announce import SENTENCE_BYTES, announce
from tests.detectors.lifecycle.scenario import Heard, Scenario


def heard() -> Heard:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(5).asks("acknowledge", "prod-1", by="Ada")
    scenario.at(6).asks("note", "prod-1", text="a secret of a person")
    scenario.at(7).hits(2_000)
    scenario.at(30).quiet()
    return scenario.play(until=40 * 60)


def test_each_transition_is_a_line_with_its_sentence() -> None:
    transitions = heard().transitions
    with capture_logs() as lines:
        announce(transitions)
    assert [line["event"] for line in lines] == ["incident_transition"] * len(transitions)
    assert [line["kind"] for line in lines] == [one.kind for one in transitions]
    opened = lines[0]
    assert opened["incident"] == "prod-1"
    assert (opened["from"], opened["to"], opened["severity"]) == (
        None,
        "open",
        transitions[0].incident.severity,
    )
    assert opened["reason"] == transitions[0].reason != ""
    assert {"acknowledged", "recovering", "resolved"} <= {line["kind"] for line in lines}


def test_what_is_serious_is_louder() -> None:
    transitions = heard().transitions
    with capture_logs() as lines:
        announce(transitions)
    loud = {line["kind"] for line in lines if line["log_level"] == "warning"}
    assert "opened" in loud
    assert not loud & {"acknowledged", "recovering", "resolved", "closed", "note"}


def test_a_line_holds_no_text_of_a_note_and_is_not_long() -> None:
    transitions = heard().transitions
    with capture_logs() as lines:
        announce(transitions)
    assert all("secret" not in str(line) for line in lines)
    assert all(len(str(line["reason"]).encode()) <= SENTENCE_BYTES for line in lines)
