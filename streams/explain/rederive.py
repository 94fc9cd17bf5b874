"""Do the recorded events still give the incident that the log tells? It is derived again, and compared line by line.

An incident is a pure function of the events, the marks, the inputs and the policy (docs/exactness.md). So what a replay
of them brings must equal what was written then; where it does not, the difference is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.axes import overlaps
from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.policy.policy import Policy
from detectors.process.vocabulary import InputKind
from streams.records.log_lines import Line, each_once, read_line
from streams.records.verdicts import log_line
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Entry
from streams.replay.replay import Replay

__all__ = ["Difference", "Rederived", "applied_inputs", "compared", "inputs_of", "rederive"]

#: What is compared of a line; offsets, which differ after a crash, and ids are not.
_FIELDS = (
    *("kind", "scope", "before", "after", "severity", "peak_severity", "basis", "users_impacted"),
    *("causes", "sentence", "counts", "common", "epoch", "first_bad_at", "by"),
)
#: Lines that are no change of the incident.
_NO_CHANGE = frozenset({"refused", "applied", "notice", "linked"})
#: What a line that a person caused says that the person asked for.
_ASKED: Mapping[str, InputKind] = {
    "acknowledged": "acknowledge",
    "unacknowledged": "unacknowledge",
    "note": "note",
}


@dataclass(frozen=True)
class Difference:
    """A line that differs, or that only one side has.

    Attributes:
        at: T, RFC 3339.
        kind: of the line.
        fields: name -> (recorded, derived); empty where one side has no such line.
        only: the side that has the line, where the other has none.
    """

    at: str
    kind: str
    fields: Mapping[str, tuple[Any, Any]]
    only: str | None = None


@dataclass(frozen=True)
class Rederived:
    """What a replay makes of an incident that the log tells.

    Attributes:
        lines: how many lines were compared.
        differences: what differs; () where the incident is equal.
        found: whether the replay brings the incident at all.
        policy_hash: of the policy that the replay used.
        judged_by: hashes of the policies that the log names.
        why_not: why the events cannot be read, if they cannot.
    """

    lines: int
    differences: tuple[Difference, ...]
    found: bool
    policy_hash: str
    judged_by: tuple[str, ...] = ()
    why_not: str | None = None

    @property
    def equal(self) -> bool:
        """Whether the recorded events give the very same incident."""
        return self.found and not self.differences


def rederive(
    recorded: Sequence[Line],
    partitions: Sequence[Iterator[Entry]],
    policy: Policy,
    *,
    now: int,
    history: Iterable[dict[str, Any]] = (),
    inputs: Sequence[tuple[int, IncidentInput]] = (),
    checkpoint: Checkpoint | None = None,
) -> Rederived:
    """Replay the events of an incident, and compare what they give with the log.

    Args:
        recorded: all lines of the incident in the log; at least one that is a change.
        partitions, policy, now, history, inputs, checkpoint: of ``Replay``.
    """
    lines = [line for line in each_once(recorded) if line.kind not in _NO_CHANGE]
    last = max(line.instant for line in lines)
    replay = Replay(partitions, policy, now=now, history=history, inputs=inputs, checkpoint=checkpoint)
    derived: dict[str, list[Line]] = {}
    for verdict in replay.run():
        for transition in verdict.result.transitions:
            if transition.at <= last:
                line = read_line(log_line(transition, {}, policy.hash))
                derived.setdefault(transition.incident.id, []).append(line)
    twin = _twin(lines, derived)
    known = [line for line in twin if line.kind not in _NO_CHANGE]
    return Rederived(
        len(lines),
        tuple(compared(lines, known)) if twin else (),
        bool(twin),
        policy.hash,
        tuple(dict.fromkeys(line.policy_hash for line in lines if line.policy_hash)),
    )


def _twin(lines: Sequence[Line], derived: Mapping[str, list[Line]]) -> list[Line]:
    """The derived incident that is the recorded one: its id, or the one that shares most of its instants."""
    same = derived.get(str(lines[0].incident))
    if same is not None and overlaps(same[0].scope, lines[0].scope):
        return same
    times = {line.at for line in lines}
    alike = [found for found in derived.values() if overlaps(found[0].scope, lines[0].scope)]
    best = max(alike, key=lambda found: len(times & {line.at for line in found}), default=[])
    return best if times & {line.at for line in best} else []


def compared(recorded: Sequence[Line], derived: Sequence[Line]) -> Iterator[Difference]:
    """Yield what differs between two tellings of an incident, in the order of T.

    Lines are matched by T and kind, in their order where several are alike; what is left over stands alone.
    """
    left = list(derived)
    alone: list[Difference] = []
    for line in recorded:
        match = next((one for one in left if (one.at, one.kind) == (line.at, line.kind)), None)
        if match is None:
            alone.append(Difference(line.at, line.kind, {}, "the log"))
            continue
        left.remove(match)
        fields = {
            name: (getattr(line, name), getattr(match, name))
            for name in _FIELDS
            if getattr(line, name) != getattr(match, name)
        }
        if fields:
            alone.append(Difference(line.at, line.kind, fields))
    alone += [Difference(line.at, line.kind, {}, "the events") for line in left]
    yield from sorted(alone, key=lambda one: parse_instant(one.at))


def inputs_of(recorded: Iterable[Line]) -> list[tuple[int, IncidentInput]]:
    """What people asked for, as far as the lines of the log tell it: acknowledgements and notes.

    The records of ``incident-inputs`` tell more; this stands in where there are none.
    """
    return [
        (
            line.instant,
            IncidentInput(
                id=line.input or f"{line.at}:{line.kind}:{n}",
                env=str(line.incident).rpartition("-")[0],
                kind=_ASKED[line.kind],
                incident=line.incident,
                by=line.by,
                text=line.reason if line.kind == "note" else "",
                at=line.instant,
            ),
        )
        for n, line in enumerate(each_once(recorded))
        if line.kind in _ASKED and line.by is not None
    ]


def applied_inputs(
    asked: Iterable[IncidentInput], logged: Iterable[Line], policy: Policy
) -> list[tuple[int, IncidentInput]]:
    """Inputs with the T at which each applied: that of the log's line about it, else the next T after it came.

    Args:
        asked: the records of ``incident-inputs``.
        logged: lines of the log, of all incidents.
        policy: has the step.
    """
    at = {line.input: line.instant for line in logged if line.input is not None}
    return [(at.get(one.id, (one.at // policy.step + 1) * policy.step), one) for one in asked]
