"""A shard: one partition of `sli-segments` as far as it has been read, and what waits there to be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from detectors.incidents import IncidentInput
from detectors.windows.facts import FactRow
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.totals import Totals
from streams.records.models import decode_input
from streams.segments.codec import FormatError, Frontier, SealedSegment, decode_sealed
from streams.segments.fencing import Admitted, Fencing

__all__ = ["Shard", "Wish", "wish_of"]

log = structlog.get_logger(__name__)

#: What a step is taken to cost before one has been judged, seconds.
_FIRST_COST = 0.02


@dataclass
class Wish:
    """What a person asks for, and where it stands on `incident-inputs`."""

    offset: int
    value: IncidentInput


@dataclass
class Shard:
    """One partition of `sli-segments` and the environments that live on it."""

    partition: int
    envs: tuple[str, ...]
    evaluator: Evaluator
    next_offset: int
    totals: Totals
    rebuilt: bool = False
    owners: Fencing = field(default_factory=Fencing)
    frontiers: dict[int, Frontier] = field(default_factory=dict)
    partitions: int = 0
    covered: dict[tuple[int, int, str], tuple[int, int]] = field(default_factory=dict)
    sealed: dict[tuple[int, int, str], SealedSegment] = field(default_factory=dict)  # not looked at yet
    pending: dict[tuple[int, int, str], list[FactRow]] = field(default_factory=dict)
    unread: list[tuple[int, int]] = field(default_factory=list)  # see ``Engine.advance``
    wishes: dict[str, list[Wish]] = field(default_factory=dict)
    assigned: dict[str, list[tuple[int, IncidentInput]]] = field(default_factory=dict)
    inputs_to: dict[str, int] = field(default_factory=dict)
    state_at: dict[str, int] = field(default_factory=dict)
    evaluated_to: int | None = None
    judged_to: int = 0  # a former owner may have written verdicts up to this T, ms
    due: bool = False  # a frontier has come since it was last moved on
    generation: int = 0  # of the consumer group, in which it is known to have been this worker's
    moved_at: float = float("-inf")  # when that was, seconds that never go back
    step_cost: float = _FIRST_COST  # what a step took when it was judged last, seconds

    def watermark(self) -> int | None:
        """The overall watermark, ms: the least over the input partitions; None until all have spoken."""
        if not self.partitions or len(self.frontiers) < self.partitions:
            return None
        marks = [frontier.watermark for frontier in self.frontiers.values()]
        known = [mark for mark in marks if mark is not None]
        return min(known) if len(known) == len(marks) else None

    # -- what arrives -----------------------------------------------------------------------------------------

    def note_wish(self, wish: Wish) -> None:
        """Take in an input, unless it has been taken in before."""
        env = wish.value.env
        if env in self.envs and wish.offset >= self.inputs_to.get(env, 0):
            waiting = self.wishes.setdefault(env, [])
            if all(other.offset != wish.offset for other in waiting):
                waiting.append(wish)

    def note(self, value: bytes | None) -> bool:
        """Take in a record; True if it was a frontier."""
        if value is None:
            return False
        try:
            record = decode_sealed(value)
        except FormatError as error:
            log.error("unreadable_segment", partition=self.partition, error=str(error))
            return False
        if isinstance(record, SealedSegment):
            self._admit(self.owners.segment(record))
            return False
        if not isinstance(record, Frontier):
            return False
        counts, admitted = self.owners.frontier(record)
        self._admit(admitted)
        if not counts:
            return False
        self.partitions = max(self.partitions, record.partitions)
        if record.blind_from is not None and record.watermark is not None:
            self.unread.append((record.blind_from, record.watermark))
        known = self.frontiers.get(record.partition)
        if known is not None:
            if record.next_offset < 0:
                return False  # who announces itself knows nothing yet
            reached = max((m for m in (known.watermark, record.watermark) if m is not None), default=None)
            record = msgspec.structs.replace(record, watermark=reached)
        self.frontiers[record.partition] = record
        return True

    def _admit(self, admitted: Iterable[Admitted]) -> None:
        for one in admitted:
            if isinstance(one, tuple):
                self.totals.note(one[0], [one[1]])
            elif isinstance(one, SealedSegment):
                self._note_segment(one)

    def _note_segment(self, segment: SealedSegment) -> None:
        if segment.env not in self.envs:
            return
        key = (segment.partition, segment.block, segment.env)
        known = self.covered.get(key)
        if known is not None and not segment.replaces(*known):
            return
        self.covered[key] = (segment.first, segment.last)
        self.sealed[key] = segment
        if self.rebuilt:
            self._open(key)

    def open_all(self) -> Iterator[None]:
        """What was read while the shard was not rebuilt yet is looked at; now and then it stops for others."""
        for key in list(self.sealed):
            self._open(key)
            yield

    def _open(self, key: tuple[int, int, str]) -> None:
        """Take in the rows of a segment."""
        try:
            rows = self.sealed.pop(key).rows()
        except FormatError as error:
            log.error("unreadable_segment", partition=self.partition, error=str(error))
            return
        policy = self.evaluator.policy
        self.totals.replace(key, rows, policy)
        done = self.evaluator.engine(key[2]).evaluated_to
        if self.rebuilt and done is not None:
            rows = [row for row in rows if row.counts_from(policy.step) > done]
        self.pending[key] = rows

    # -- what is judged ---------------------------------------------------------------------------------------

    def take_due(self, to: int, env: str | None = None) -> dict[str, list[FactRow]]:
        """The facts that count up to ``to`` (T, ms), by environment, or of one; they are not given out again."""
        step = self.evaluator.policy.step
        rows: dict[str, list[FactRow]] = {}
        for key, waiting in self.pending.items():
            if env is not None and key[2] != env:
                continue
            due = [row for row in waiting if row.counts_from(step) <= to]
            if due:
                rows.setdefault(key[2], []).extend(due)
                self.pending[key] = [row for row in waiting if row.counts_from(step) > to]
        return rows

    def forget(self) -> None:
        """Drop what no later record can replace any more."""
        self.pending = {key: rows for key, rows in self.pending.items() if rows}
        if len(self.covered) > 4096:
            newest: dict[int, int] = {}
            for partition, block, _ in self.covered:
                newest[partition] = max(newest.get(partition, 0), block)
            self.covered = {
                key: span for key, span in self.covered.items() if key[1] >= newest[key[0]] - 64 * 8192
            }


def wish_of(offset: int, value: bytes | None) -> Wish | None:
    """The input of a record; None of one that holds none."""
    if value is None:
        return None
    try:
        return Wish(offset, decode_input(value))
    except ValueError as error:
        log.warning("unreadable_input", offset=offset, error=str(error))
        return None
