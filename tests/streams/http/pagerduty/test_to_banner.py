"""From a signed webhook to the banner and the messages: what people do in PagerDuty is told as what it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from detectors.incidents import Incident
from detectors.instants import SECOND, format_instant
from sinks.banner import banner
from sinks.receivers.slack.wording import render
from tests.detectors.lifecycle.scenario import START, Scenario
from tests.streams.http.serving import Serving, serving

ADA = {"id": "P1", "type": "user_reference", "summary": "Ada"}
MINUTES = 60


class Deployment:
    """A method that fails at 100 % from second 0 on, its incident, and the HTTP server that PagerDuty calls."""

    def __init__(self, served: Serving) -> None:
        self.served = served
        self.scenario = Scenario()
        self.scenario.at(0).fires("prod/ssoe", people=400)
        self.scenario.world.ratios["prod/ssoe"] = (0, 500)
        self._count = 0

    async def hears(self, second: int, kind: str, *, happened: int | None = None, **data: Any) -> None:
        """Bring the deployment to a second at which a webhook arrives, and apply what it stands for."""
        self.scenario.play(until=second - 10)
        agent = data.pop("agent", ADA)
        at = START + (second if happened is None else happened) * SECOND
        self._count += 1
        event = {
            "id": f"01{self._count}",
            "event_type": f"incident.{kind}",
            "resource_type": "incident",
            "occurred_at": format_instant(at),
            "agent": agent,
            "client": None,
            "data": {"id": "Q1", "type": "incident", "incident_key": "watchofficer:prod-1:0", **data},
        }
        self.served.feed(*self.scenario.lifecycle.incidents())
        status, _ = await self.served.webhook(json.dumps({"event": event}).encode())
        assert status == 202
        self.scenario.world.inputs += self.served.submitted
        self.served.submitted.clear()
        self.scenario.play(until=second)

    def incident(self) -> Incident:
        return self.scenario.heard.incidents["prod-1"]

    def banner(self) -> str:
        """The state of the banner of the method now."""
        world, lifecycle = self.scenario.world, self.scenario.lifecycle
        made = banner.banners(self.scenario.policy, "prod", lifecycle.incidents(), world.at)
        return made["prod/ssoe"].state

    def said(self) -> str:
        """Everything that Slack has been told."""
        commands = [c for c in self.scenario.heard.commands if c.sink == "slack"]
        bodies = [
            render(c, channel="C1", root_ts=None if c.action == "post" else "1.1").body for c in commands
        ]
        return msgspec.json.encode(bodies).decode()


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    """The deployment."""
    async with serving() as served:
        yield Deployment(served)


def fails_still(deployment: Deployment, pages: int = 1) -> None:
    heard = deployment.scenario.play(until=20 * MINUTES)
    assert deployment.incident().state in ("open", "acknowledged")
    assert deployment.banner() == "warning"
    assert "works again" not in deployment.said()
    assert len({key for *_, key in heard.pages()}) == pages
    assert not heard.told("datadog", "incident_resolve")


async def test_a_merge_is_no_recovery(deployment: Deployment) -> None:
    reason = {"type": "merge_resolve_reason", "incident": {"id": "Q9", "type": "incident_reference"}}
    await deployment.hears(120, "resolved", status="resolved", resolve_reason=reason)
    assert deployment.incident().acknowledged_by == "PagerDuty: Ada"
    fails_still(deployment)
    await deployment.hears(21 * MINUTES, "unacknowledged", id="Q9", incident_key="another's")
    assert deployment.incident().acknowledged_by is None


async def test_an_end_that_nobody_has_said_is_no_recovery(deployment: Deployment) -> None:
    await deployment.hears(120, "resolved", status="resolved", resolve_reason=None, agent=None)
    fails_still(deployment)
    assert "nobody has said that it is over" in deployment.said()


async def test_the_end_of_the_older_of_two_alerts_is_no_recovery(deployment: Deployment) -> None:
    await deployment.hears(60, "acknowledged")
    deployment.scenario.at(100).hits(5_000)
    deployment.scenario.play(until=110)
    await deployment.hears(120, "resolved", status="resolved", resolve_reason=None)
    deployment.scenario.at(130).hits(400)
    heard = deployment.scenario.play(until=20 * MINUTES)
    assert deployment.incident().state == "acknowledged"
    assert deployment.banner() in ("critical", "warning")
    assert "works again" not in deployment.said()
    assert [key for *_, key in heard.pages()] == ["prod-1:0", "prod-1:0:s1"]


async def test_a_person_who_resolves_while_it_fails_is_told_as_that_and_paged_again(
    deployment: Deployment,
) -> None:
    await deployment.hears(120, "resolved", status="resolved", resolve_reason=None)
    assert deployment.banner() == "warning"
    fails_still(deployment, pages=2)
    assert "resolved this *while it fails*" in deployment.said()
    assert [transition.kind for transition in deployment.scenario.heard.transitions].count("reopened") == 0


async def test_an_older_acknowledgement_that_arrives_later_is_nobodys(deployment: Deployment) -> None:
    await deployment.hears(60, "acknowledged")
    await deployment.hears(310, "unacknowledged", happened=305, agent=None)
    await deployment.hears(330, "acknowledged", happened=183)
    assert (deployment.incident().state, deployment.incident().acknowledged_by) == ("open", None)


async def test_a_note_reaches_everybody_from_another_worker_than_the_one_that_paged(
    deployment: Deployment,
) -> None:
    await deployment.hears(60, "triggered", agent=None)
    async with serving() as another:
        deployment.served = another
        reference = {"id": "Q1", "type": "incident_reference"}
        await deployment.hears(
            120,
            "annotated",
            id="N1",
            type="incident_note",
            incident_key=None,
            incident=reference,
            content="ISAM",
        )
    assert [note.text for note in deployment.incident().notes] == ["ISAM"]
    assert "notes: ISAM" in deployment.said()
