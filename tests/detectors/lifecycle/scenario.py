"""How do tests describe what happens to incidents? A scenario is played step by step, and its results are observed.

    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).quiet("prod/ssoe")
    heard = scenario.play(until=3600)

Instants are seconds since the start, which is Monday 2026-11-23 15:00 UTC, 10:00 in New York.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from detectors.axes import contains
from detectors.incidents import (
    Cause,
    Command,
    Common,
    Counts,
    FindingState,
    Incident,
    IncidentInput,
    Transition,
)
from detectors.instants import HOUR, MINUTE, SECOND, parse_instant
from detectors.lifecycle.lifecycle import Lifecycle, LifecycleMemory
from detectors.lifecycle.memory import FOUND_IN_FAILURES
from detectors.notification.plan import plan
from detectors.policy.policy import Policy
from detectors.scopes import SCOPES
from detectors.windows.impact import Distinct
from streams.settings.policy_file import default_policy, read_policy

START = parse_instant("2026-11-23T15:00:00Z")
SINKS = frozenset({"pagerduty", "datadog", "slack"})


def policy(text: str) -> Policy:
    """Return the shipped policy with changes in YAML."""
    return read_policy(text, "test.yaml")


@dataclass
class World:
    """The state that the life cycle observes in a step."""

    at: int = START
    frozen: bool = False
    causes: dict[str, Cause] = field(default_factory=dict)  # by scope
    findings: dict[str, FindingState] = field(default_factory=dict)  # findings on a scope besides its causes
    impacted: int = 0
    error: float = 0.0  # error of the number of people, as a share
    succeeds: bool = True
    fails: bool = True
    ratios: dict[str, tuple[int, int]] = field(default_factory=dict)  # scope -> good, bad
    returns: dict[str, float] = field(default_factory=dict)  # scope -> share of the starts that returned
    in_common: tuple[Common, ...] | None = None
    inputs: list[IncidentInput] = field(default_factory=list)

    def finding(self, scope: str, leaving_out: Collection[str] = ()) -> FindingState:
        cause = self.causes.get(scope)
        if cause is not None and cause.detector not in leaving_out:
            stale = not self.fails and cause.detector in FOUND_IN_FAILURES
            return "not_enough_evidence" if stale else "firing"
        return self.findings.get(scope, "quiet")

    def knows(self, scope: str) -> bool:
        return "nowhere" not in scope

    def within(self, scope: str) -> tuple[str, ...]:
        known = (*SCOPES, "*/*/vaweb", "sis/*/vaweb")
        paths = (f"{scope.partition('/')[0]}/{below}".rstrip("/") for below in known)
        return tuple(path for path in paths if path != scope and contains(scope, path))

    def counts(self, scope: str, window: int = 5 * MINUTE) -> Counts:
        good, bad = self.ratios.get(scope, (50, 50))
        return Counts(
            at=self.at,
            window=window,
            good=good,
            bad=bad,
            excluded=0,
            started=good + bad,
            slow=0,
            timed=good + bad,
            users_impacted=bad,
        )

    def returned(self, scope: str, window: int) -> float | None:
        return self.returns.get(scope)

    def people(self, scope: str, since: int) -> Distinct:
        return Distinct(self.impacted if since < self.at else 0, self.error)

    def first_bad(self, scope: str, since: int) -> int | None:
        return since if self.fails else None

    def succeeded_since(self, scope: str, since: int) -> bool:
        return self.succeeds

    def common(self, scope: str, since: int, usual: Mapping[str, str]) -> tuple[Common, ...] | None:
        return self.in_common

    def usual_failures(self, scope: str, until: int) -> dict[str, str]:
        return {}

    # -- what a scenario may say, each from its instant on

    def fires(self, scope: str, *, detector: str = "outage", people: int | None = None, **more: Any) -> World:
        self.causes[scope] = Cause(
            detector=detector,  # type: ignore[arg-type]
            scope=scope,
            state="firing",
            sentence=f"{detector} on {scope}",
            **{"first_bad": self.at - HOUR, **more},  # so long ago that nothing is projected
        )
        if people is not None:
            self.impacted = people
        return self

    def quiet(self, *scopes: str, people: int | None = None) -> World:
        for scope in scopes or tuple(self.causes):
            self.causes.pop(scope, None)
        if people is not None:
            self.impacted = people
        return self

    def nobody_fails(self, *, really: bool = True) -> World:
        self.fails = not really
        return self

    def hits(self, people: int, *, error: float = 0.0) -> World:
        self.impacted, self.error = people, error
        return self

    def arrives(self, scope: str, sign_ins: int, failing: int = 0) -> World:
        self.ratios[scope] = sign_ins - failing, failing
        return self

    def succeeding(self, *, really: bool = True) -> World:
        self.succeeds = really
        return self

    def blind(self, *, really: bool = True) -> World:
        self.frozen = really
        return self

    def lacks_evidence(self, scope: str) -> World:
        self.causes.pop(scope, None)
        self.findings[scope] = "not_enough_evidence"
        return self

    def asks(self, kind: str, incident: str | None = None, **more: Any) -> World:
        number = len(self.inputs)
        fields = {"id": f"{self.at}-{number}", "env": "prod", "by": "Ada", **more}
        self.inputs.append(IncidentInput(kind=kind, incident=incident, **fields))  # type: ignore[arg-type]
        return self


@dataclass
class Heard:
    """The results of a played scenario."""

    start: int
    transitions: list[Transition] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    refused: list[tuple[IncidentInput, str]] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)

    def kinds(self, incident: str | None = None) -> list[tuple[int, str]]:
        """Return (second, kind) of each transition."""
        return [
            ((t.at - self.start) // SECOND, t.kind)
            for t in self.transitions
            if incident in (None, t.incident.id)
        ]

    def when(self, kind: str) -> list[int]:
        """Return the seconds at which transitions of a kind happened."""
        return [second for second, name in self.kinds() if name == kind]

    def last(self, kind: str) -> Transition:
        """Return the last transition of a kind."""
        return [t for t in self.transitions if t.kind == kind][-1]

    def told(self, sink: str, *actions: str) -> list[tuple[int, str, str, str]]:
        """Return (second, action, level, end of the dedup key) of the commands for a receiver."""
        return [
            (
                (c.at - self.start) // SECOND,
                c.action,
                c.level,
                c.dedup_key.removeprefix("watchofficer:"),
            )
            for c in self.commands
            if c.sink == sink and (not actions or c.action in actions)
        ]

    def pages(self) -> list[tuple[int, str, str]]:
        """Return (second, level, key) of each trigger."""
        return [(second, level, key) for second, _, level, key in self.told("pagerduty", "trigger")]

    def messages(self) -> list[tuple[int, str, str]]:
        """Return (second, action, kind) of each message in Slack, without corrections of the root."""
        return [
            ((c.at - self.start) // SECOND, c.action, c.kind)
            for c in self.commands
            if c.sink == "slack" and c.action != "update"
        ]


class Scenario:
    """A sequence of changes of the world. ``every``: seconds from step to step."""

    def __init__(
        self, rules: Policy | None = None, *, env: str = "prod", every: int = 10, start: int = START
    ):
        self.policy = rules or default_policy()
        self.lifecycle = Lifecycle(env, self.policy)
        self.world = World(at=start)
        self.heard = Heard(start)
        self._start = start
        self._every = every
        self._now = 0
        self._marks: list[tuple[int, Callable[[World], object]]] = []

    def at(self, second: int) -> Mark:
        """Return a mark; changes called on the mark apply from this second on."""
        return Mark(second, self._marks)

    def play(self, until: int) -> Heard:
        """Play all steps after the last call, up to and including second ``until``."""
        while self._now <= until:
            self._step()
            self._now += self._every
        return self.heard

    def _step(self) -> None:
        world = self.world
        world.at = self._start + self._now * SECOND
        due = [mark for mark in self._marks if mark[0] <= self._now]
        self._marks = [mark for mark in self._marks if mark[0] > self._now]
        for _, change in sorted(due, key=lambda mark: mark[0]):
            change(world)
        inputs, world.inputs = world.inputs, []
        if world.causes or inputs or self.lifecycle.active:
            self._heard(self.lifecycle.step(world, list(world.causes.values()), inputs))

    def _heard(self, transitions: Sequence[Transition]) -> None:
        self.heard.transitions += transitions
        for transition in transitions:
            self.heard.commands += plan(transition, self.policy, SINKS)
            self.heard.incidents[transition.incident.id] = transition.incident
        self.heard.incidents.update({i.id: i for i in self.lifecycle.incidents()})
        self.heard.refused += self.lifecycle.take_refused()

    def restart(self) -> None:
        """Continue from the encoded memory, as a new process would."""
        stored = msgspec.msgpack.encode(self.lifecycle.memory)
        memory = msgspec.msgpack.decode(stored, type=LifecycleMemory)
        self.lifecycle = Lifecycle(self.lifecycle.env, self.policy, memory)


class Mark:
    """A second of the scenario, with the methods of ``World``, which are called at this second."""

    def __init__(self, second: int, marks: list[tuple[int, Callable[[World], object]]]) -> None:
        self._second = second
        self._marks = marks

    def __getattr__(self, name: str) -> Callable[..., Mark]:
        def later(*args: Any, **more: Any) -> Mark:
            self._marks.append((self._second, lambda world: getattr(world, name)(*args, **more)))
            return self

        return later


def nested(scopes: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of scopes of which the first contains the second."""
    return [
        (wide, narrow)
        for i, wide in enumerate(scopes)
        for j, narrow in enumerate(scopes)
        if i != j and contains(wide, narrow)
    ]
