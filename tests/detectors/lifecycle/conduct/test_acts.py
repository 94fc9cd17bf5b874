"""People conduct an incident: roles, stages, estimates, updates, follow-ups, checks, the post-mortem, completion."""

from __future__ import annotations

import pytest

from detectors.incidents import Incident
from detectors.instants import DAY, MINUTE, SECOND
from detectors.lifecycle.conduct.past import KEPT_FOR, PAST_KEPT, kept
from detectors.process.record import FOLLOW_UPS_KEPT
from tests.detectors.lifecycle.scenario import START, Scenario

LINK = "https://example.org/post-mortem"


def failing() -> Scenario:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    return scenario


def closed() -> Scenario:
    scenario = failing()
    scenario.at(10).asks("acknowledge", "prod-1")
    scenario.at(30).quiet()
    assert scenario.play(until=3_600).incidents["prod-1"].state == "closed"
    return scenario


def refusals(scenario: Scenario) -> list[str]:
    return [why for _, why in scenario.heard.refused]


def test_the_stage_follows_what_happens_and_goes_back_by_a_person_alone() -> None:
    scenario = failing()
    seen = []
    scenario.at(10).asks("acknowledge", "prod-1")
    scenario.at(20).asks("declare", "prod-1")
    scenario.at(30).asks("stage", "prod-1", stage="triage", text="wrong cause")
    scenario.at(40).quiet()
    for until in (0, 10, 20, 30, 1_000, 3_600):
        seen.append(scenario.play(until=until).incidents["prod-1"].process.stage)
    assert seen == ["detection", "triage", "response", "triage", "resolution", "post_incident"]


def test_who_acknowledges_first_commands_unless_somebody_is_assigned() -> None:
    scenario = failing()
    scenario.at(10).asks("acknowledge", "prod-1", by="Ada")
    scenario.at(20).asks("assign", "prod-1", role="scribe", who="Cy", by="Ada")
    assert scenario.play(until=20).incidents["prod-1"].process.roles == {"commander": "Ada", "scribe": "Cy"}
    scenario.at(30).asks("assign", "prod-1", role="commander", who="Bob\u202e\n")
    scenario.at(40).asks("assign", "prod-1", role="commander", who="Bob")
    assert scenario.play(until=40).incidents["prod-1"].process.roles["commander"] == "Bob"
    assert refusals(scenario) == ["Bob is commander already"]


def test_what_is_said_of_the_process_is_told_like_a_note_once_a_minute_at_most() -> None:
    scenario = failing()
    scenario.at(10).asks("eta", "prod-1", until=START + 60 * MINUTE, text="IAM restarts")
    scenario.at(20).asks("assign", "prod-1", role="liaison", who="Cy")
    scenario.at(30).asks("follow_up", "prod-1", text="alert on the certificate")
    heard = scenario.play(until=200)
    told = [(c.at, c.kind, c.reason) for c in heard.commands if c.sink == "slack" and c.action == "reply"]
    assert told == [
        (START + 10 * SECOND, "eta", "It is expected to be over by 2026-11-23T16:00:00Z: IAM restarts"),
        (
            START + 70 * SECOND,
            "notes",
            "15:00 Ada: Cy is liaison.\n15:00 Ada: Follow-up 1: alert on the certificate",
        ),
    ]
    assert heard.when("follow_up") == [30]


def test_an_estimate_that_is_past_is_none_and_one_can_be_withdrawn() -> None:
    scenario = failing()
    scenario.at(10).asks("eta", "prod-1", until=START)
    scenario.at(20).asks("eta", "prod-1", until=START + DAY)
    scenario.at(30).asks("eta", "prod-1")
    scenario.at(40).asks("eta", "prod-1")
    heard = scenario.play(until=40)
    assert refusals(scenario) == ["2026-11-23T15:00:00Z is past", "that is what was said before"]
    assert heard.when("eta") == [20, 30]
    assert heard.incidents["prod-1"].process.eta is None


def test_a_persons_update_takes_the_place_of_the_one_that_is_due_and_restarts_the_clock() -> None:
    scenario = failing()
    scenario.at(10).asks("acknowledge", "prod-1")
    scenario.at(1_200).asks("update", "prod-1", text="IAM is restarting it.", public=True)
    scenario.at(1_230).asks("update", "prod-1", text="Really.")
    heard = scenario.play(until=3_100)
    assert heard.when("update") == [1_200, 3_000]
    assert heard.last("update").by is None
    said = heard.incidents["prod-1"].process.said
    assert said is not None
    assert (said.at, said.by, said.public) == (START + 1_200 * SECOND, "Ada", True)
    assert heard.incidents["prod-1"].process.next_update_at == START + 4_800 * SECOND
    assert refusals(scenario) == [
        "Ada sent an update at 2026-11-23T15:20:00Z; the next is taken from 2026-11-23T15:21:00Z on"
    ]


def test_follow_ups_are_numbered_linked_closed_and_bounded() -> None:
    scenario = failing()
    for n in range(FOLLOW_UPS_KEPT + 1):
        scenario.at(10 + n).asks("follow_up", "prod-1", text=f"task {n}")
    scenario.at(40).asks("follow_up", "prod-1", item="2", link="https://example.org/2")
    scenario.at(50).asks("follow_up", "prod-1", item="1").asks("follow_up", "prod-1", item="99")
    found = scenario.play(until=60).incidents["prod-1"].process.follow_ups
    assert [one.text for one in found] == [f"task {n}" for n in range(FOLLOW_UPS_KEPT)]
    assert (found[1].link, found[0].done_at) == ("https://example.org/2", START + 50 * SECOND)
    assert [why.partition(",")[0] for why in refusals(scenario)] == [
        f"it has {FOLLOW_UPS_KEPT} follow-ups",
        f"there is no follow-up 99; it has {FOLLOW_UPS_KEPT}",
    ]


def test_the_data_tick_what_they_show_and_a_relapse_takes_all_ticks_back() -> None:
    scenario = failing()
    scenario.at(10).asks("check", "prod-1", item="sign_in_ssoe", text="as a test user").asks(
        "check", "prod-1", item="sign_in_sis"
    )
    scenario.at(20).quiet()
    found = {one.item: one.done_by for one in scenario.play(until=700).incidents["prod-1"].process.checklist}
    assert found == {"monitors": "the data", "sign_in_ssoe": "Ada", "statement": None}
    assert refusals(scenario) == ["its checklist has no sign_in_sis, but monitors, sign_in_ssoe, statement"]
    scenario.at(710).fires("prod/ssoe", people=60)
    lines = scenario.play(until=710).incidents["prod-1"].process.checklist
    assert [one.done_at for one in lines] == [None, None, None]


def test_an_update_while_it_recovers_is_the_statement() -> None:
    scenario = failing()
    scenario.at(10).quiet()
    scenario.at(500).asks("update", "prod-1", text="It works again.")
    lines = scenario.play(until=500).incidents["prod-1"].process.checklist
    assert {one.item: one.done_by for one in lines}["statement"] == "Ada"


def test_its_commander_completes_an_incident_that_has_closed_once_all_is_linked() -> None:
    scenario = closed()
    scenario.restart()
    for second, by, kind, more in (
        (3_610, "Ada", "follow_up", {"text": "rotate the certificate"}),
        (3_620, "Ada", "complete", {}),
        (3_630, "Ada", "post_mortem", {"link": LINK}),
        (3_640, "Ada", "complete", {}),
        (3_650, "Ada", "follow_up", {"item": "1", "link": "https://example.org/1"}),
        (3_660, "Bob", "complete", {}),
        (3_670, "Ada", "complete", {}),
        (3_680, "Ada", "complete", {}),
        (3_690, "Ada", "acknowledge", {}),
    ):
        scenario.at(second).asks(kind, "prod-1", by=by, **more)
    heard = scenario.play(until=3_700)
    incident = heard.last("completed").incident
    assert (incident.state, incident.process.stage, incident.process.completed_by) == (
        "closed",
        "completed",
        "Ada",
    )
    assert incident.links["postmortem"] == LINK
    assert refusals(scenario) == [
        "it has no post-mortem: link it first (post-mortem)",
        "follow-up 1 has no link and is not done",
        "its commander completes it, who is Ada; assign another one first",
        "prod-1 is completed already, by Ada",
        "there is no incident prod-1 that is not closed",
    ]


@pytest.mark.parametrize("by", ["Ada Byron", "ada byron (Slack U0123)", "PagerDuty: Ada Byron"])
def test_who_acknowledged_in_pagerduty_completes_it_by_any_door(by: str) -> None:
    scenario = failing()
    scenario.at(10).asks("acknowledge", "prod-1", by="PagerDuty: Ada Byron").quiet()
    scenario.at(1_000).asks("post_mortem", "prod-1", link="https://wiki.example/pm")
    scenario.at(1_010).asks("complete", "prod-1", by="Ada").asks("complete", "prod-1", by=by)
    assert scenario.play(until=1_010).incidents["prod-1"].process.completed_by == by
    assert refusals(scenario) == [
        "its commander completes it, who is PagerDuty: Ada Byron; assign another one first"
    ]


def test_an_incident_that_is_not_over_is_not_completed() -> None:
    scenario = failing()
    scenario.at(10).asks("acknowledge", "prod-1").asks("post_mortem", "prod-1", link=LINK)
    scenario.at(20).asks("complete", "prod-1")
    scenario.play(until=20)
    assert refusals(scenario) == ["prod-1 is not over: resolve it first"]


def past_incident(scenario: Scenario, number: int, **more: object) -> Incident:
    from msgspec.structs import replace

    known = scenario.heard.incidents["prod-1"]
    return replace(known, id=f"prod-{number}", closed_at=START + number, **more)


def test_of_closed_incidents_those_that_were_declared_are_kept_longest() -> None:
    scenario = closed()
    many = [past_incident(scenario, n, declared_at=START if n < 3 else None) for n in range(1, 40)]
    found = [one.id for one in kept(many, START + DAY)]
    assert len(found) == PAST_KEPT
    assert found[:2] == ["prod-1", "prod-2"]
    assert found[-1] == "prod-39"
    busy = [past_incident(scenario, n, declared_at=START if n < 32 else None) for n in range(1, 40)]
    assert [one.id for one in kept(busy, START + DAY)][-8:] == [f"prod-{n}" for n in range(32, 40)]
    assert kept(many, START + KEPT_FOR + DAY) == []


@pytest.mark.parametrize("more", [{"causes": ("surge",)}, {"resolved_reason": "merged into prod-9"}])
def test_what_would_have_woken_nobody_or_is_part_of_another_takes_no_acts_after_it_closed(
    more: dict[str, object],
) -> None:
    assert kept([past_incident(closed(), 1, **more)], START + DAY) == []


def test_a_note_says_when_what_it_tells_happened_and_notes_stand_in_that_order() -> None:
    scenario = failing()
    scenario.at(600).asks("note", "prod-1", text="restarted")
    scenario.at(700).asks("note", "prod-1", text="called IAM", since=START + 100 * SECOND)
    heard = scenario.play(until=700)
    assert [note.text for note in heard.incidents["prod-1"].notes] == ["called IAM", "restarted"]
    assert heard.last("note").happened_at == START + 100 * SECOND
