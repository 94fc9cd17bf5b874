"""Which people conduct the incident of a demo, and what do they do? They speak by HTTP, as anybody does.

A step is taken once the incident has come to a state and the act before it was decided. Each is an assertion: the act
has applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from detectors.instants import DAY, HOUR, MINUTE, format_instant
from detectors.policy.policy import Policy
from streams.demo.assertions import Assertion
from streams.http.views import Views
from streams.kafka.clients import ClientFactory
from streams.kafka.topic_reader import TopicValues
from streams.records.log_lines import Line, read_line
from streams.reports.document import Report
from streams.reports.episodes import Episode, episodes_of
from streams.reports.postmortem import postmortem_report
from streams.reports.response import response_report
from streams.reports.spans import local, month_of

__all__ = ["STORIES", "Step", "Story", "Storyteller", "conducted", "episodes_told", "reports"]

_STATES = ("open", "acknowledged", "recovering", "resolved", "closed")
_POLL = 0.1  # seconds
_PATIENCE = 5.0  # seconds for an answer
_ADA, _BO = "Ada Lovelace", "Bo Ek"


@dataclass(frozen=True)
class Step:
    """An act.

    Attributes:
        words: what is done, in words.
        state: the state that the incident has reached by then.
        after: ms of the time that is evaluated, since the step before: the clock may be ahead of what people see.
        act: the word of an act on the incident, or ``maintenance``.
        by: who does it.
        fields: makes the other fields of the request from the T that is evaluated, ms; an item that ends in ``*`` is
            each line of the checklist that begins so and is not ticked.
    """

    words: str
    state: str
    after: int
    act: str
    by: str
    fields: Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Story:
    """Steps that people take in a scenario. The demo ends by itself, and prints reports."""

    description: str
    scenario: str
    steps: tuple[Step, ...]


def _step(words: str, state: str, act: str, *, after: int = 0, by: str = _ADA, **fields: Any) -> Step:
    return Step(words, state, after, act, by, lambda now: _at(now, fields))


def _at(now: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with ``since`` and ``until``, which are ms from now, as instants."""
    return {
        name: format_instant(now + value) if name in ("since", "until") else value
        for name, value in fields.items()
    }


_WIKI = "https://wiki.example/postmortems/1"
STORIES: Mapping[str, Story] = {
    "full_story": Story(
        "An outage of ssoe from the page to the completed post-mortem, with the people who conduct it.",
        "ssoe_outage",
        (
            _step("Ada takes command", "acknowledged", "assign", role="commander", who=_ADA),
            _step("Bo leads the repair", "acknowledged", "assign", role="technical_lead", who=_BO),
            _step(
                "Bo notes what happened earlier",
                "acknowledged",
                "note",
                by=_BO,
                text="The owner of what fails was called, and confirms it.",
                since=-2 * MINUTE,
            ),
            _step("the end is estimated", "acknowledged", "eta", by=_BO, until=25 * MINUTE),
            _step(
                "those who wait are told",
                "acknowledged",
                "update",
                text="Sign-in fails. Please use another way meanwhile; it is being repaired.",
                public=True,
            ),
            _step(
                "maintenance is announced",
                "acknowledged",
                "maintenance",
                by=_BO,
                scope="prod/ssoe",
                text="ISAM patching",
                since=5 * DAY,
                until=5 * DAY + HOUR,
            ),
            _step("a manual sign-in works", "recovering", "check", by=_BO, item="sign_in_*"),
            _step("the recovery is said", "resolved", "check", item="statement"),
            _step(
                "a task is left",
                "resolved",
                "follow-up",
                text="Ask the owner for an alarm of their own.",
                link="https://jira.example/ID-1",
            ),
            _step("the post-mortem is linked", "resolved", "post-mortem", link=_WIKI),
            _step("the commander completes it", "resolved", "complete"),
        ),
    )
}


def conducted(scenario: str) -> Story:
    """Return what people do in an exercise of any scenario: as in the full story, but for its maintenance."""
    full = STORIES["full_story"]
    steps = tuple(step for step in full.steps if step.act != "maintenance")
    return Story(f"An exercise of {scenario}.", scenario, steps)


class Storyteller:
    """Takes the steps of a story.

    Args:
        story: the story.
        url: base URL of the worker's HTTP.
        views: what the worker knows of incidents.
        evaluated: returns the T up to which all is evaluated, ms; None before the first.
    """

    def __init__(self, story: Story, url: str, views: Views, evaluated: Callable[[], int | None]) -> None:
        self._steps = story.steps
        self._url = url
        self._views = views
        self._evaluated = evaluated
        self._broken: dict[int, str | None] = {}

    async def run(self) -> None:
        """Take the steps, one after another, until all are taken or the task is cancelled."""
        async with httpx.AsyncClient(base_url=self._url, timeout=_PATIENCE, trust_env=False) as http:
            last = 0
            for number, step in enumerate(self._steps):
                while (name := self._ready(step)) is None or self._now() < last + step.after:
                    await asyncio.sleep(_POLL)
                last = self._now()
                await self.take(http, number, name)

    @property
    def is_done(self) -> bool:
        """Whether every step was taken."""
        return len(self._broken) == len(self._steps)

    def assertions(self) -> list[Assertion]:
        """Each step as an assertion that its act has applied; one that was not taken yet has not."""
        return [
            Assertion(f"{step.words} ({step.act} by {step.by})", self._broken.get(number, "it was not taken"))
            for number, step in enumerate(self._steps)
        ]

    def _now(self) -> int:
        return self._evaluated() or 0

    def _ready(self, step: Step) -> str | None:
        """The id of the incident, once it has come to the state of a step; None before."""
        wanted = _STATES.index(step.state)
        for record in self._views.incidents():
            if record["env"] == "prod" and _STATES.index(str(record["state"])) >= wanted:
                return str(record["id"])
        return None

    async def take(self, http: httpx.AsyncClient, number: int, incident: str) -> None:
        """Take a step (its place in the story) on an incident, and note whether its act has applied."""
        step = self._steps[number]
        fields = dict(step.fields(self._now()))
        item = str(fields.get("item", ""))
        asked = [fields]
        if item.endswith("*"):
            asked = [{**fields, "item": one} for one in self._unticked(incident) if one.startswith(item[:-1])]
        path = step.act if step.act == "maintenance" else f"incidents/{incident}/{step.act}"
        broken = [await _ask(http, path, {"by": step.by, **one}) for one in asked]
        self._broken[number] = next(filter(None, broken), None)

    def _unticked(self, incident: str) -> list[str]:
        """The items of an incident's checklist that are not ticked."""
        record = next((one for one in self._views.incidents() if one["id"] == incident), {})
        process = record.get("process") or {}
        return [one["item"] for one in process.get("checklist", ()) if one.get("done_at") is None]


async def _ask(http: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> str | None:
    """Send an act, and return why it has not applied; None if it has."""
    try:
        answer = await http.post(f"/api/v1/{path}", json=body)
        if answer.status_code != httpx.codes.ACCEPTED:
            return f"it was answered {answer.status_code}: {answer.text[:200]}"
        asked, found = answer.json()["accepted"]["id"], dict[str, Any]()
        while found.get("state") not in ("applied", "refused"):
            await asyncio.sleep(_POLL)
            found = (await http.get(f"/api/v1/inputs/{asked}")).json()
        return None if found["state"] == "applied" else str(found.get("reason"))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"it could not be sent: {error!r}"


async def episodes_told(clients: ClientFactory, topic: str) -> tuple[list[Line], list[Episode]]:
    """Read an incident log; return its lines, and the episodes of production.

    Args:
        clients: make the consumer.
        topic: the incident log.
    """
    lines = [read_line(value) for value in await TopicValues(clients).values(topic)]
    return lines, [one for one in episodes_of(lines) if one.env == "prod"]


async def reports(clients: ClientFactory, topic: str, policy: Policy, now: int) -> Sequence[Report]:
    """Make the post-mortem of the first incident and the report of the month so far, of the incident log.

    Args:
        clients: make the consumer.
        topic: the incident log.
        policy: the policy.
        now: ms of the demo's clock.
    """
    lines, every = await episodes_told(clients, topic)
    span = month_of(f"{local(now, policy.time_zone):%Y-%m}", policy.time_zone)
    known_from = min((line.instant for line in lines), default=None)
    month = response_report(every, policy, span, env="prod", now=now, known_from=known_from)
    if not every:
        return [month]
    own = [one for one in every if one.incident == every[0].incident]
    others = [one for one in every if one.incident != every[0].incident]
    return [postmortem_report(own, others, policy, now=now), month]
