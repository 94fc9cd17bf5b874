"""Which incidents come and go in a drawn day, and what do people do meanwhile? The shipped plan makes the commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.structs import replace

from detectors.incidents import Command, Incident, Note, Transition, TransitionKind
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.notification.paging import page_of, with_page
from detectors.notification.plan import PAGERDUTY_REST, plan
from streams.settings.policy_file import default_policy
from tests.sinks.samples import OPENED, incident

__all__ = ["Act", "Life", "drawn_lives"]

_SINKS = frozenset({"pagerduty", "datadog", "slack"})
_WITH_REST = _SINKS | {PAGERDUTY_REST}
_POLICY = default_policy()


@dataclass(frozen=True)
class Act:
    """What a person does in PagerDuty: acknowledges, resolves or merges whatever is open of an incident."""

    at: int
    incident: str
    what: str


@dataclass
class Life:
    """All commands of an incident with the instants at which they are written, and what people do in PagerDuty."""

    commands: list[tuple[int, Command]]
    acts: list[Act]


def drawn_lives(random: Random, hours: float, incidents: int, *, rest: bool = False) -> list[Life]:
    """Incidents that open at random within so many hours; ``rest``: with a token of PagerDuty's REST API."""
    return [
        _life(random, f"prod-{number}", OPENED + random.randrange(round(hours * HOUR)), rest=rest)
        for number in range(incidents)
    ]


class _Teller:
    """An incident as it changes, and the commands of its changes."""

    def __init__(self, name: str, at: int, severity: int, sinks: frozenset[str]) -> None:
        self._sinks = sinks
        self.now = incident(
            id=name,
            severity=severity,
            peak_severity=severity,
            opened_at=at,
            updated_at=at,
            first_bad_at=at - 30 * SECOND,
        )
        self.commands: list[tuple[int, Command]] = []
        self.change("opened", at, None)

    def change(self, kind: TransitionKind, at: int, before: Incident | None, **more: Any) -> None:
        page = page_of(kind, None if before is None else before.severity, self.now, _POLICY)
        if page is not None:
            self.now = replace(self.now, pages=with_page(self.now.pages, page))
        transition = Transition(
            kind=kind,
            at=at,
            incident=self.now,
            from_state=before.state if before else None,
            from_severity=before.severity if before else None,
            from_scope=before.scope if before else None,
            reason="as drawn",
            page=page,
            **more,
        )
        self.commands += [(at, command) for command in plan(transition, _POLICY, self._sinks)]

    def become(self, kind: TransitionKind, at: int, by: dict[str, Any] | None = None, **changes: Any) -> None:
        before = self.now
        self.now = replace(before, updated_at=at, **changes)
        self.change(kind, at, before, **(by or {}))


def _life(random: Random, name: str, at: int, *, rest: bool) -> Life:
    told = _Teller(name, at, random.choice([1, 1, 2, 2, 3]), _WITH_REST if rest else _SINKS)
    acts: list[Act] = []
    for epoch in range(random.choice([1, 1, 1, 2])):
        if epoch:
            at += random.randrange(2 * MINUTE, 20 * MINUTE)
            told.become(
                "reopened", at, epoch=epoch, state="open", pages=(), opened_at=at,
                acknowledged_at=None, acknowledged_by=None, resolved_at=None, declared_at=None,
            )  # fmt: skip
        at = _epoch(random, told, name, at, acts)
    return Life(told.commands, acts)


def _epoch(random: Random, told: _Teller, name: str, at: int, acts: list[Act]) -> int:
    """One epoch up to its resolution; the instant of that."""
    for step in _steps(random, at):
        at = step
        what = random.choice(
            ["severity", "acknowledged", "acts", "declared", "update", "reminder", "note", "breach"]
        )
        if what == "severity" and told.now.severity > 1:
            told.become("severity", at, severity=told.now.severity - 1, peak_severity=told.now.severity - 1)
        elif what == "acknowledged" and told.now.state == "open":
            via = random.choice(["http", "pagerduty"])
            told.become("acknowledged", at, {"by": "Ada", "via": via}, state="acknowledged", acknowledged_at=at,
                        acknowledged_by="Ada")  # fmt: skip
        elif what == "acts":
            acts.append(
                Act(at + random.randrange(MINUTE), name, random.choice(["acknowledge", "resolve", "merge"]))
            )
        elif what == "declared" and told.now.declared_at is None:
            told.become("declared", at, declared_at=at)
        elif what == "update":
            told.become("update", at, users_impacted=random.randrange(100, 9000))
        elif what == "note":
            told.become(
                "note", at, {"notes": (Note(at, "Ada", f"seen at {at}", "http"),), "by": "Ada", "via": "http"}
            )
        elif what == "breach" and told.now.state == "open":
            told.become("breach", at)
        elif what == "reminder" and told.now.state == "open":
            told.become("reminder", at)
    at += random.randrange(MINUTE, 15 * MINUTE)
    told.become("resolved", at, state="resolved", resolved_at=at, resolved_reason="recovered")
    return at


def _steps(random: Random, at: int) -> Iterator[int]:
    for _ in range(random.randrange(1, 8)):
        at += random.choice([1, 10, 100, 1000]) * SECOND + random.randrange(10_000)
        yield at
