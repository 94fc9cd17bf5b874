"""What does a worker know of one partition of `sli-segments`, and what of that waits to be evaluated?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from detectors.engine.engine import Engine
from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from detectors.values import OTHER
from detectors.windows.facts import FactRow
from streams.evaluate.evaluator import Evaluator, Verdict
from streams.evaluate.inputs import SCHEDULED_BYTES, QueuedInput, size_of
from streams.evaluate.shard_state import ShardState, covered_from
from streams.evaluate.totals import Totals
from streams.kafka.topics import Topics
from streams.records.reading import OwnRecords, Reading, Record, Stored
from streams.segments.codec import Frontier, SealedSegment, decode_sealed, segment_key
from streams.segments.fencing import Admitted, Fencing
from streams.segments.input_frontiers import InputFrontiers
from streams.segments.input_partition import InputPartition

__all__ = ["Shard", "decides_verdicts"]

#: The spans of so many segments (partition, block, env) are kept before those of old blocks are dropped.
_SPANS = 4096
#: The spans of so many of the newest blocks of a partition are kept; a block has 8192 offsets.
_BLOCKS = 64
_BLOCK_OFFSETS = 8192

#: (input partition, first offset of the block, environment)
_SegmentKey = tuple[InputPartition, int, str]


def decides_verdicts(key: str) -> bool:
    """Whether a record of `sli-segments` with this key decides verdicts.

    A frontier does not, because the next one takes its place.
    """
    return key.startswith(("segment/", "mark/", "owner/"))


class Shard:
    """One partition of `sli-segments` and the environments whose facts stand on it.

    A shard is restored first, in the order ``restore_state``, ``restore_record``, ``restore_windows``, ``queue``,
    ``finish_restore``. From then on ``take`` and ``queue`` receive records. A range of T is evaluated by ``collect``,
    ``schedule_inputs``, ``advance`` and ``complete``; between them the caller writes what they return.

    Args:
        partition: of `sli-segments`.
        envs: the environments of this partition.
        evaluator: moves the engines of all environments on.
        next_offset: the first offset of `sli-segments` that has not been taken.
        reading: reads the records of the partition.
        unlisted: whether the partition holds further environments too, as they come.
    """

    def __init__(
        self,
        partition: int,
        envs: tuple[str, ...],
        evaluator: Evaluator,
        next_offset: int,
        reading: Reading | None = None,
        *,
        unlisted: bool = False,
    ) -> None:
        self.partition = partition
        self._envs = envs
        self._unlisted = unlisted
        self.totals = Totals(evaluator.policy)
        self.notices = evaluator.notices
        self._evaluator = evaluator
        self._next_offset = next_offset
        self._reading = reading or OwnRecords(Topics()).reading(Topics().segments, partition)
        self._restored = False
        self._due = False
        self._fencing = Fencing()
        self._read = InputFrontiers()
        self._spans: dict[_SegmentKey, tuple[int, int]] = {}
        self._sealed: dict[_SegmentKey, SealedSegment] = {}
        self._pending: dict[_SegmentKey, list[FactRow]] = {}
        self._unread: list[tuple[int, int]] = []
        self._queued: dict[str, list[QueuedInput]] = {}
        self._scheduled: dict[str, list[tuple[int, IncidentInput]]] = {}
        self._inputs_to: dict[str, int] = {}
        self._state_at: dict[str, int] = {}
        self._evaluated_to: int | None = None
        self._collected_to: int | None = None
        self._written_to = 0

    # -- what is known ----------------------------------------------------------------------------------------

    @property
    def envs(self) -> tuple[str, ...]:
        """The environments of this partition, those that have come included."""
        if not self._unlisted:
            return self._envs
        return (*self._envs, *sorted(self._evaluator.engines.keys() - set(self._envs)))

    @property
    def policy(self) -> Policy:
        """The policy that the shard judges by."""
        return self._evaluator.policy

    @property
    def next_offset(self) -> int:
        """The first offset of `sli-segments` that has not been taken."""
        return self._next_offset

    @property
    def evaluated_to(self) -> int | None:
        """The last T whose verdicts have been written, ms; None before the first."""
        return self._evaluated_to

    def reached(self, env: str) -> int | None:
        """The last T (ms) up to which an environment is evaluated; None before the first."""
        own = self.engine(env).evaluated_to
        return self._evaluated_to if own is None else own

    @property
    def due(self) -> bool:
        """Whether a frontier has arrived, or the shard has been restored, since ``begin_round``."""
        return self._due

    def engine(self, env: str) -> Engine:
        """The engine of an environment."""
        return self._evaluator.engine(env)

    def watermark(self) -> int | None:
        """The overall watermark, ms: the least over the input partitions; None until all have reported one."""
        return self._read.watermark()

    def held_back_by(self) -> str:
        """Which input partition is the furthest behind, in words; "" before a partition has reported."""
        return self._read.held_back_by()

    def offsets(self) -> dict[InputPartition, int]:
        """Input partition -> the first offset that its last frontier does not cover."""
        return self._read.offsets()

    def lags(self, limit: int) -> bool:
        """Whether ingest has left records unread since before ``limit`` (ms), or has not reported since then."""
        return self._read.lags(limit)

    # -- what arrives -----------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Take a record of `sli-segments`; one that was taken before changes nothing.

        Raises:
            Unreadable: the record cannot be read, and decides verdicts.
        """
        if record.offset >= self._next_offset:  # a rebalance goes back to the committed offset
            self._due = self._add(record) or self._due
            self._reading.refuse(decides_verdicts)
            self._next_offset = record.offset + 1

    def queue(self, one: QueuedInput) -> None:
        """Take an incident input, unless it has been taken before."""
        env = one.value.env
        if env in self.envs and one.offset >= self._inputs_to.get(env, 0):
            waiting = self._queued.setdefault(env, [])
            if all(other.offset != one.offset for other in waiting):
                waiting.append(one)

    def _add(self, stored: Record) -> bool:
        """Add the content of a record; True if it moved a frontier."""
        record = self._reading.take(stored, decode_sealed)
        if isinstance(record, SealedSegment):
            self._admit(self._fencing.segment(record))
            return False
        return isinstance(record, Frontier) and self._add_frontier(record)

    def _add_frontier(self, record: Frontier) -> bool:
        counts, admitted = self._fencing.frontier(record)
        self._admit(admitted)
        if not counts:
            return False
        if record.blind_from is not None and record.watermark is not None:
            self._unread.append((record.blind_from, record.watermark))
        return self._read.take(record)

    def _admit(self, admitted: Iterable[Admitted]) -> None:
        for one in admitted:
            if isinstance(one, tuple):
                self.totals.note(one[0], [one[1]])
            elif isinstance(one, SealedSegment):
                self._add_segment(one)

    def _add_segment(self, segment: SealedSegment) -> None:
        if segment.env not in self._envs and (not self._unlisted or segment.env in ENVS):
            return
        key = (segment.partition, segment.block, segment.env)
        known = self._spans.get(key)
        if known is not None and not segment.replaces(*known):
            return
        self._spans[key] = (segment.first, segment.last)
        self._sealed[key] = segment
        if self._restored:
            self._open(key)

    def _open(self, key: _SegmentKey) -> None:
        """Decode the rows of a segment, count them in the totals, and keep those that wait for their T."""
        segment = self._sealed.pop(key)
        sealed = Stored(-1, segment_key(segment), bytes(segment.sealed))
        axes, further = self.policy.axes, self.policy.recorded_breakdowns
        rows = self._reading.take(sealed, lambda value: segment.rows(axes, further))
        self._reading.refuse(decides_verdicts)
        if rows is None:
            return
        self._evaluator.settle_arrivals(key[2], rows)
        env = self._evaluator.counted_as(key[2])
        self.totals.replace(key, rows, env or OTHER)
        engine = self._evaluator.engines.get(env or "")
        done = None if engine is None else engine.evaluated_to
        # What arrived for an environment of which nothing counts yet has been handed out as well.
        done = self._collected_to if done is None else done
        if self._restored and done is not None:
            step = self.policy.step
            rows = [row for row in rows if row.arrives(step) > done]
        self._pending[key] = rows

    # -- restoring --------------------------------------------------------------------------------------------

    def restore_state(self, env: str, state: ShardState) -> None:
        """Take over the state of an environment. Its engine was made from the same state."""
        self._evaluator.boards[env].restore(state.board)
        self._inputs_to[env] = state.inputs_to
        self._scheduled[env] = list(state.scheduled)
        self._state_at[env] = self.engine(env).evaluated_to or 0

    def restore_record(self, record: Record) -> None:
        """Take a record of `sli-segments` while the shard is being restored."""
        self._add(record)
        self._next_offset = max(self._next_offset, record.offset + 1)

    def restore_windows(self, since: int) -> Iterator[None]:
        """Fill the engines' windows from the records, which were read from ``since`` (ms) on.

        The caller may let others run whenever the iterator yields.

        Raises:
            Unreadable: a record that decides verdicts cannot be read.
        """
        self._reading.refuse(decides_verdicts)
        for key in list(self._sealed):
            self._open(key)
            yield
        for env in self.envs:
            engine = self.engine(env)
            if engine.evaluated_to is not None:
                known = self._take_due(engine.evaluated_to, env)
                rows = list(chain.from_iterable(known.values()))
                yield from engine.restore_in_parts(rows, covered_from(since, self.policy))

    def finish_restore(self, judged_to: int = 0) -> None:
        """From now on records are evaluated. Verdicts up to ``judged_to`` (ms) or the watermark may be written."""
        done = [engine.evaluated_to for engine in self._evaluator.engines.values()]
        self._evaluated_to = max((at for at in done if at is not None), default=None)
        self._restored = self._due = True
        step, watermark = self.policy.step, self.watermark() or 0
        self._written_to = max(watermark - watermark % step, judged_to + -judged_to % step)

    # -- evaluating -------------------------------------------------------------------------------------------

    def begin_round(self) -> None:
        """What has arrived so far is about to be evaluated: the shard is not due any more."""
        self._due = False

    def begin_at(self, goal: int) -> int:
        """The T (ms) after which evaluation goes on; ``goal`` is the last T (ms) that can be evaluated now.

        A shard without a state begins before the first fact.
        """
        if self._evaluated_to is None:
            step = self.policy.step
            firsts = [row.counts_from(step) for rows in self._pending.values() for row in rows]
            self._evaluated_to = min([first for first in firsts if first > 0] + [goal + step]) - step
        return self._evaluated_to

    def schedule_inputs(self) -> list[str]:
        """Give queued inputs a T that nobody can have evaluated; the environments that had any.

        Their states must be written before ``advance``, so that a later owner applies the inputs at the same T. A state
        holds the inputs until they are applied, so they are taken up to ``SCHEDULED_BYTES``; the others wait for the
        next call.
        """
        envs = []
        for env, waiting in self._queued.items():
            if not waiting:
                continue
            reached = self.engine(env).evaluated_to
            reached = self._evaluated_to or 0 if reached is None else reached
            at = max(reached, self._written_to) + self.policy.step
            waiting.sort(key=lambda one: one.offset)
            scheduled = self._scheduled.setdefault(env, [])
            room = SCHEDULED_BYTES - sum(size_of(value) for _, value in scheduled)
            taken = 0
            for one in waiting:
                room -= size_of(one.value)
                if room < 0 and scheduled:
                    break
                scheduled.append((at, one.value))
                self._inputs_to[env] = one.offset + 1
                taken += 1
            del waiting[:taken]
            if taken:
                envs.append(env)
        return envs

    def collect(self, to: int) -> None:
        """Hand the facts that arrive up to ``to`` (T, ms) to the evaluator."""
        self._evaluator.add(self._take_due(to))
        self._collected_to = to

    def advance_in_parts(self, to: int, out: list[Verdict], *, catching_up: bool) -> Iterator[None]:
        """Evaluate up to ``to`` (T, ms), and let the caller do something else whenever this yields.

        Args:
            to: a multiple of the step; ``collect`` has been called with it.
            out: an empty list, which receives the verdicts in the order of T.
            catching_up: whether notifications of what is found are old news.
        """
        self._unread += self.totals.rejected_share.blind(to)
        inputs = {env: [one for one in some if one[0] <= to] for env, some in self._scheduled.items()}
        evaluator, unread = self._evaluator, self._unread
        yield from evaluator.advance_in_parts(to, out, inputs, unread=unread, catching_up=catching_up)
        self._unread = [span for span in self._unread if span[1] > to]
        for env, some in self._scheduled.items():
            self._scheduled[env] = [one for one in some if one[0] > to]

    def complete(self, to: int) -> None:
        """All verdicts up to ``to`` (T, ms) have been written: drop what no later record can replace any more."""
        self._evaluated_to = to
        self._pending = {key: rows for key, rows in self._pending.items() if rows}
        if len(self._spans) > _SPANS:
            newest: dict[InputPartition, int] = {}
            for partition, block, _ in self._spans:
                newest[partition] = max(newest.get(partition, 0), block)
            kept = _BLOCKS * _BLOCK_OFFSETS
            self._spans = {key: span for key, span in self._spans.items() if key[1] >= newest[key[0]] - kept}

    def _take_due(self, to: int, counted_as: str | None = None) -> dict[str, Sequence[FactRow]]:
        """The facts that arrive up to ``to`` (T, ms) by environment; they are given out once.

        Args:
            to: T, ms.
            counted_as: take only the facts that the engine of this environment has.
        """
        step = self.policy.step
        rows: dict[str, list[FactRow]] = {}
        for key, waiting in self._pending.items():
            if counted_as is not None and self._evaluator.counted_as(key[2]) != counted_as:
                continue
            due = [row for row in waiting if row.arrives(step) <= to]
            if due:
                rows.setdefault(key[2], []).extend(due)
                self._pending[key] = [row for row in waiting if row.arrives(step) > to]
        return dict(rows)

    # -- states -----------------------------------------------------------------------------------------------

    def state(self, env: str, term: int) -> ShardState:
        """The state of an environment now, as the owner of a term writes it to `watch-state`."""
        return ShardState(
            engine=self.engine(env).state(),
            board=tuple(self._evaluator.boards[env].shown()),
            inputs_to=self._inputs_to.get(env, 0),
            scheduled=tuple(self._scheduled.get(env, ())),
            term=term,
        )

    def states_due(self, changed: set[str], every: int) -> list[str]:
        """The environments whose states are to be written now.

        Args:
            changed: environments whose incidents or banners have changed.
            every: the state of any other environment is due so long after it was written last, ms of event time.
        """
        due = []
        for env in self._evaluator.engines:
            # An environment without an event has no T of its own, and its progress is told all the same.
            reached = self.reached(env)
            if reached is not None and (env in changed or reached - self._state_at.get(env, 0) >= every):
                self._state_at[env] = reached
                due.append(env)
        return due
