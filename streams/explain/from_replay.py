"""What does a replay of the events say about an incident?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from detectors.arrays import Ints
from detectors.axes import contains
from detectors.detection.verdicts import Verdicts
from detectors.incidents import Command, IncidentInput
from detectors.instants import MINUTE, SECOND, format_instant
from detectors.policy.policy import Policy
from detectors.process.deploys import Deploy
from detectors.windows.counters import BAD, GOOD
from detectors.windows.frame import Frame
from streams.evaluate.evaluator import Verdict
from streams.explain.case_file import CaseFile, Fired, Sample, Sampled
from streams.records.log_lines import Line, read_line
from streams.records.verdicts import log_line
from streams.replay.entries import Entry, SourceError
from streams.replay.replay import Replay
from streams.replay.scoring.finding_changes import Change, FindingChanges
from streams.replay.summary import fault_lines, unjudged_lines

__all__ = ["replayed"]

#: Samples for the plot are taken at the multiples of this, ms.
_EVERY = 10 * SECOND
#: People are those of the last minutes, in every policy.
_PEOPLE_WINDOW = 5 * MINUTE


def replayed(
    incident: str,
    partitions: Sequence[Iterator[Entry]],
    policy: Policy,
    *,
    now: int,
    history: Iterable[dict[str, Any]] = (),
    inputs: Sequence[tuple[int, IncidentInput]] = (),
    watched: Callable[[Replay], Iterable[Verdict]] = Replay.run,
) -> CaseFile:
    """Replay events, and keep what belongs to one incident; the other arguments are those of ``Replay``.

    Args:
        watched: runs the replay.

    Raises:
        SourceError: the replay brings no such incident; the message names those that it brings.
    """
    changes, sampler = FindingChanges(), _Samples(incident.rpartition("-")[0])

    def observe(frame: Frame, verdicts: Sequence[Verdicts]) -> None:
        changes(frame, verdicts)
        sampler.take(frame)

    replay = Replay(partitions, policy, now=now, history=history, inputs=inputs, observer=observe)
    lines: list[Line] = []
    commands: list[Command] = []
    others: dict[str, str] = {}
    deploys: list[Deploy] = []
    for verdict in watched(replay):
        deploys += [one.deploy for one in verdict.result.notices if one.deploy is not None]
        for transition in verdict.result.transitions:
            others[transition.incident.id] = transition.incident.scope
            if transition.incident.id == incident:
                lines.append(read_line(log_line(transition, {}, policy.hash)))
        lines += [
            Line(
                kind="refused",
                incident=incident,
                at=format_instant(verdict.result.at),
                asked=incident_input.kind,
                by=incident_input.by,
                reason=why,
            )
            for incident_input, why in verdict.result.refused
            if incident_input.incident == incident
        ]
        commands += [command for command in verdict.result.commands if command.incident_id == incident]
    if incident not in others:
        there = ", ".join(f"{name} ({scope})" for name, scope in others.items())
        found = f"there is no incident {incident} in these events" + (
            f", only {there}" if there else ", nor any other"
        )
        faults = fault_lines(replay.summary) if not others else []
        raise SourceError("\n".join([found, *faults, *unjudged_lines(replay.summary, resumed=False)]))
    case_file = CaseFile(incident, lines, commands, policy=policy, deploys=deploys)
    case_file.fired = _fired(changes.found, {line.scope for line in case_file.changes}, case_file)
    case_file.samples = list(sampler.samples(case_file.scope))
    case_file.sampled = Sampled(sampler.window, _PEOPLE_WINDOW)
    return case_file


class _Samples:
    """Keeps the counts of all scopes of an environment, every so often."""

    def __init__(self, env: str) -> None:
        self._env = env
        self.window = MINUTE
        self._ends: list[Ints] = []
        self._counts: list[tuple[Ints, Ints, Ints]] = []
        self._paths: list[list[str | None]] = []

    def take(self, frame: Frame) -> None:
        """Keep a frame, if it is of the environment."""
        if frame.env != self._env:
            return
        chosen = frame.ends % _EVERY == 0
        if chosen.any():
            self.window = min(window for window in frame.windows if window >= MINUTE)
            counts, people = frame.counts[self.window][chosen], frame.people[_PEOPLE_WINDOW][chosen]
            self._ends.append(frame.ends[chosen])
            self._paths.append(frame.scopes.paths)
            self._counts.append((counts[..., GOOD].copy(), counts[..., BAD].copy(), people.copy()))

    def samples(self, scope: str) -> Iterator[Sample]:
        """Yield the samples of a scope (path); zeros while it had no events."""
        below = scope.partition("/")[2]
        for ends, paths, kept in zip(self._ends, self._paths, self._counts, strict=True):
            if below in paths:
                counts = [array[:, paths.index(below)] for array in kept]
            else:
                counts = [np.zeros_like(ends) for _ in kept]
            table = np.stack([ends, *counts], axis=1)
            yield from (Sample(*row) for row in table.tolist())


def _fired(found: dict[tuple[str, str], list[Change]], scopes: set[str], case_file: CaseFile) -> list[Fired]:
    """What fired within the scopes of an incident, or around them, while it lasted."""
    out = []
    for (detector, scope), changes in found.items():
        if not any(contains(scope, own) or contains(own, scope) for own in scopes):
            continue
        ends = [change.at for change in changes[1:]] + [None]
        spells = [
            (change, end)
            for change, end in zip(changes, ends, strict=True)
            if change.state == "firing"
            and change.at <= case_file.ended
            and (end is None or end >= case_file.began)
        ]
        if spells:
            first, last = spells[0][0], spells[-1][1]
            out.append(Fired(detector, scope, first.at, last, len(spells), first.sentence))
    return sorted(out, key=lambda one: (one.begin, one.detector, one.scope))
