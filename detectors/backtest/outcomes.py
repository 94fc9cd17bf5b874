"""What became of each incident: when it opened, on which scope, how severe it was, whom it woke, when it resolved?

Outcomes are collected from the transitions and commands of a run. ``score`` compares them with labels, ``comparison``
with the outcomes of a run by another policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from detectors.incidents import Command, Transition

__all__ = ["Outcome", "Outcomes", "longest"]

#: Levels at which PagerDuty wakes somebody; a warning has low urgency.
_WAKES = frozenset({"critical", "error"})


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch of one incident. All instants are T, ms.

    Attributes:
        incident, epoch, env: the incident's id, the epoch's number and the environment.
        opened_at: when this epoch opened.
        scopes: (since, scope), the first at the opening.
        severities: (since, severity), the first at the opening.
        causes: names of the detectors that fired, sorted.
        sentence: why the incident opened.
        pages: when the incident woke somebody: each PagerDuty key once, when first sent as critical or error.
        warnings: when its low-urgency alerts were sent.
        worst: the worst severity that the incident says it had; what was projected and then refuted is none.
        resolved_at, resolved_reason: None while the incident is not resolved.
    """

    incident: str
    epoch: int
    env: str
    opened_at: int
    scopes: tuple[tuple[int, str], ...]
    severities: tuple[tuple[int, int], ...]
    causes: tuple[str, ...]
    sentence: str
    pages: tuple[int, ...] = ()
    warnings: tuple[int, ...] = ()
    resolved_at: int | None = None
    resolved_reason: str | None = None
    worst: int | None = None

    @property
    def paged_at(self) -> int | None:
        """When the incident first woke somebody; None if it woke nobody."""
        return min(self.pages, default=None)

    @property
    def peak_severity(self) -> int:
        """The worst severity of the incident, which is the smallest number: as it says itself, if it does."""
        return self.worst or min(severity for _, severity in self.severities)

    def open_at(self, instant: int) -> bool:
        """Whether the incident was open (not resolved) at an instant (ms)."""
        return self.opened_at <= instant and (self.resolved_at is None or instant < self.resolved_at)

    def scope_within(self, begin: int, end: int) -> str:
        """The scope that the incident had longest in [begin, end) ms; its scope at ``end`` if it had none in there."""
        return longest(self.scopes, begin, end)


def longest(course: Sequence[tuple[int, str]], begin: int, end: int) -> str:
    """Return the value that held longest in [begin, end) ms; of several that held equally long, the latest.

    Args:
        course: (since, value) in order of time; a value holds until the next one begins.
        begin, end: ms; if no value held between them, the last one that began by ``end`` is returned.
    """
    held: dict[str, int] = {}
    last = course[0][1]
    for (since, value), until in zip(course, [at for at, _ in course[1:]] + [end], strict=True):
        lasted = min(until, end) - max(since, begin)
        if lasted > 0:
            held[value] = held.get(value, 0) + lasted
        if since <= end:
            last = value
    return max(reversed(held), key=lambda value: held[value]) if held else last


class Outcomes:
    """Collects the outcomes of a run T by T."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, int], Outcome] = {}
        self._awake: set[tuple[str, int, str]] = set()

    def add(self, transitions: Iterable[Transition], commands: Iterable[Command]) -> None:
        """Add the transitions and commands of one T."""
        for transition in transitions:
            self._change(transition)
        for command in commands:
            if command.sink == "pagerduty" and command.action == "trigger":
                self._alert(command)

    def result(self) -> list[Outcome]:
        """Return all outcomes so far, in the order of their opening."""
        return sorted(self._outcomes.values(), key=lambda one: (one.opened_at, one.incident, one.epoch))

    def _change(self, transition: Transition) -> None:
        after = transition.incident
        key = (after.id, after.epoch)
        outcome = self._outcomes.get(key)
        if outcome is None:
            self._outcomes[key] = Outcome(
                incident=after.id,
                epoch=after.epoch,
                env=after.env,
                opened_at=after.opened_at,
                scopes=((after.opened_at, after.scope),),
                severities=((after.opened_at, after.severity),),
                causes=after.causes,
                sentence=after.sentence,
                worst=after.peak_severity,
            )
            return
        changes: dict[str, object] = {}
        if after.peak_severity != outcome.worst:
            changes["worst"] = after.peak_severity
        if after.scope != outcome.scopes[-1][1]:
            changes["scopes"] = (*outcome.scopes, (transition.at, after.scope))
        if after.severity != outcome.severities[-1][1]:
            changes["severities"] = (*outcome.severities, (transition.at, after.severity))
        if after.causes != outcome.causes:
            changes["causes"] = tuple(sorted({*outcome.causes, *after.causes}))
        if after.resolved_at != outcome.resolved_at:
            changes["resolved_at"] = after.resolved_at
            changes["resolved_reason"] = after.resolved_reason
        if changes:
            self._outcomes[key] = replace(outcome, **changes)

    def _alert(self, command: Command) -> None:
        key = (command.incident_id, command.epoch)
        outcome = self._outcomes[key]
        if command.level not in _WAKES:
            self._outcomes[key] = replace(outcome, warnings=(*outcome.warnings, command.at))
        elif (*key, command.dedup_key) not in self._awake:
            self._awake.add((*key, command.dedup_key))
            self._outcomes[key] = replace(outcome, pages=(*outcome.pages, command.at))
