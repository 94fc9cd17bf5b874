"""What happened in PagerDuty, when, and to which alerts: merges, ends that nobody has said, notes, and the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from detectors.incidents import IncidentInput, Page
from detectors.instants import parse_instant
from detectors.process.alert_news import AlertNews
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pagerduty.reading import Ignored, Unknown
from streams.records.models import encode_input
from tests.streams.http.pagerduty.deliveries import KEY, a_note, dumps, event, read, read_all
from tests.streams.http.serving import Serving, an_incident, serving


def test_a_note_is_found_by_what_an_earlier_webhook_has_told() -> None:
    known = AlertIndex()
    assert read(a_note(), known) == Unknown("PGR0VU2")
    assert isinstance(read(event("incident.triggered"), known), IncidentInput)
    value = read(a_note(), known)
    assert isinstance(value, IncidentInput)
    assert (value.kind, value.incident, value.text) == ("note", "prod-17", "ISAM restarts")


def test_what_happened_and_when_goes_with_it() -> None:
    value = read(event(html_url="https://va.pagerduty.com/incidents/PGR0VU2"))
    assert isinstance(value, IncidentInput)
    assert value.alert == AlertNews(
        dedup_key=KEY,
        incident="PGR0VU2",
        url="https://va.pagerduty.com/incidents/PGR0VU2",
        occurred_at=parse_instant("2026-11-23T15:05:00Z"),
    )


def merged(into: str = "Q9") -> dict[str, Any]:
    target = {"id": into, "type": "incident_reference"}
    return event("incident.resolved", resolve_reason={"type": "merge_resolve_reason", "incident": target})


def test_a_merge_is_no_resolution() -> None:
    value = read(merged())
    assert isinstance(value, IncidentInput)
    assert (value.kind, value.alert and value.alert.into) == ("merge", "Q9")


@pytest.mark.parametrize("agent", [None, {"type": "incident_workflow_reference", "summary": "tidy up"}])
def test_what_nobody_has_resolved_is_not_resolved(agent: Any) -> None:
    body = event("incident.resolved", resolve_reason=None)
    body["event"]["agent"] = agent
    value = read(body)
    assert isinstance(value, IncidentInput)
    assert value.kind == "auto_resolve"


def test_the_target_of_a_merge_stands_for_every_alert_that_was_merged_into_it() -> None:
    known = AlertIndex()
    for incident, key in (("Q1", "watchofficer:prod-17:1"), ("Q2", "watchofficer:prod-18:0")):
        body = merged() | {}
        body["event"]["data"] |= {"id": incident, "incident_key": key}
        value = read(body, known)
        assert isinstance(value, IncidentInput)
        assert value.alert is not None
        known.learn_input({"alert": {"incident": incident, "dedup_key": key, "into": "Q9"}})
    values = read_all(event(id="Q9", incident_key="another's"), known)
    assert isinstance(values, tuple)
    assert [(one.kind, one.incident) for one in values] == [
        ("acknowledge", "prod-17"),
        ("acknowledge", "prod-18"),
    ]
    assert len({one.id for one in values}) == 2
    assert values == read_all(event(id="Q9", incident_key="another's"), known)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (
            "reassigned",
            {"assignees": [{"summary": "Bob"}, {"summary": "Cy"}]},
            "Reassigned in PagerDuty: Bob, Cy",
        ),
        ("escalated", {"assignees": None}, "Escalated in PagerDuty."),
        ("priority_updated", {"priority": {"summary": "P1"}}, "The priority in PagerDuty was changed: P1"),
        ("status_update_published", {"message": "we\nlook"}, "Status update in PagerDuty: we look"),
        ("responder.added", {"user": {"summary": "Dee"}}, "A responder was asked for in PagerDuty: Dee"),
    ],
)
def test_what_changes_nothing_is_on_the_timeline(kind: str, data: dict[str, Any], text: str) -> None:
    value = read(event(f"incident.{kind}", **data))
    assert isinstance(value, IncidentInput)
    assert (value.kind, value.text) == ("note", text)


def test_our_own_note_does_not_come_back() -> None:
    assert read(event("incident.annotated", content="[watchofficer] 15:00 Ada: looking")) == Ignored(
        "our own note has come back"
    )


def test_what_the_topics_say_of_alerts_is_known_and_bounded() -> None:
    known = AlertIndex()
    known.learn_incident({"pages": [{"dedup_key": KEY, "incident": "Q1"}, {"dedup_key": KEY + ":s1"}]})
    known.learn_incident({})
    known.learn_input({"alert": None})
    assert known.keys("Q1") == (KEY,)
    for number in range(5_000):
        known.learn(f"P{number}", KEY)
    assert (known.keys("Q1"), known.keys("P4999")) == ((), (KEY,))
    for number in range(2_000):
        known.learn("P4999", f"{KEY}:{number}")
    assert len(known.keys("P4999")) == 1_000


async def test_a_note_that_comes_first_waits_for_what_another_worker_has_learnt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, wait_for = asyncio.Event(), AlertIndex.wait_for

    async def told(self: AlertIndex, incident: str, seconds: float) -> bool:
        begun.set()
        return await wait_for(self, incident, seconds)

    monkeypatch.setattr(AlertIndex, "wait_for", told)
    other = IncidentInput(
        id="x", env="prod", kind="linked", incident="prod-17", alert=AlertNews(dedup_key=KEY, incident="Q7")
    )
    async with serving(patience=5.0) as served:
        waiting = asyncio.create_task(served.webhook(dumps(a_note("Q7"))))
        await begun.wait()
        served.views.apply("incident-inputs", b"prod", encode_input(other))
        assert (await waiting)[0] == 202


async def test_a_note_at_a_worker_that_has_just_started_is_found_by_the_incidents_it_has_read(
    served: Serving,
) -> None:
    served.feed(an_incident(17, epoch=1, pages=(Page(KEY, "error", "Q7"),)))
    assert (await served.webhook(dumps(a_note("Q7"))))[0] == 202
    assert [(value.kind, value.incident) for value in served.submitted] == [("note", "prod-17")]


async def test_before_the_topics_are_read_pagerduty_is_asked_to_send_a_note_again(served: Serving) -> None:
    served.views.ready = False
    assert (await served.webhook(dumps(a_note("Q7"))))[0] == 503
