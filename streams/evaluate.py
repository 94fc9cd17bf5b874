"""Segments in, verdicts out: what one worker does for the environments it owns.

A *desk* is one partition of `sli-segments`: the environments whose facts it holds. It is rebuilt from the topics when
its first record arrives, and judges whenever the frontiers of all input partitions let it move on. What a T brought is
written in the order commands, log lines, incidents, everything else, state, each acknowledged before the next: a crash
in between repeats what it had begun, under the same ids, and loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import structlog
from aiokafka import TopicPartition

from detectors.facts import FactRow
from detectors.history import History
from detectors.incidents import Incident, IncidentInput
from detectors.instants import format_instant
from detectors.policy import Policy
from detectors.scopes import ENVS
from detectors.watch import HISTORY_SPAN, Watch
from streams.desk_state import (
    DeskState,
    covered_from,
    decode_state,
    encode_state,
    progress,
    read_back,
    was_complete,
)
from streams.judge import Judge, Verdict
from streams.outlet import Out, Outlet
from streams.ownership import Admitted, Ownership
from streams.reader import Reader
from streams.records import decode_input, encode_incident
from streams.segments import FormatError, Frontier, Segment, decode
from streams.tallies import Totals
from streams.topics import Topics, env_partition
from streams.verdict_records import banner_out, command_out, history_out, log_out, refused_out, sli_out

__all__ = ["Desk", "Evaluate", "EvaluateSettings"]

log = structlog.get_logger(__name__)

#: The state is written at least so often, in event time, so that a restart does not judge much again.
_STATE_EVERY = 10_000
#: Evaluated in one go; between two of these the event loop gets its turn.
_CHUNK = HISTORY_SPAN
#: While records wait to be read, a desk moves on no more often, seconds.
_STRIDE = 0.5
#: Judging holds up the event loop and its heartbeats: no more is judged in one go than will take so long, seconds.
_HELD_UP = 0.5
#: What a step is taken to cost before one has been judged, and at least, seconds.
_FIRST_COST, _LEAST_COST = 0.02, 1e-6


@dataclass(frozen=True)
class EvaluateSettings:
    """How evaluate runs.

    Attributes:
        topics: their names.
        sinks: the receivers that are on.
        partitions: of the internal topics.
        pace: how many times faster than real time the clock runs; waits that stand for delivery grow with it.
    """

    topics: Topics
    sinks: frozenset[str]
    partitions: int
    pace: float = 1.0


@dataclass
class _Wish:
    offset: int
    value: IncidentInput


@dataclass
class Desk:
    """One partition of `sli-segments` and the environments that live on it."""

    partition: int
    envs: tuple[str, ...]
    judge: Judge
    next_offset: int
    totals: Totals
    rebuilt: bool = False
    owners: Ownership = field(default_factory=Ownership)
    frontiers: dict[int, Frontier] = field(default_factory=dict)
    partitions: int = 0
    covered: dict[tuple[int, int, str], tuple[int, int]] = field(default_factory=dict)
    pending: dict[tuple[int, int, str], list[FactRow]] = field(default_factory=dict)
    unread: list[tuple[int, int]] = field(default_factory=list)  # see ``Watch.advance``
    wishes: dict[str, list[_Wish]] = field(default_factory=dict)
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


class Evaluate:
    """All desks of a worker.

    Args:
        settings: how it runs.
        policy: the policy.
        outlet: where verdicts are written.
        reader: reads topics back when a desk is rebuilt.
        clock: ms since the epoch; for catching up and for metrics, never for judgement.
        told: called with a desk whenever it has moved on (metrics).
        more: whether a partition of `sli-segments` is known to hold records after an offset.
        generation: of the consumer group, now.
    """

    def __init__(
        self,
        settings: EvaluateSettings,
        policy: Policy,
        outlet: Outlet,
        reader: Reader,
        clock: Callable[[], int],
        told: Callable[[Desk], None] = lambda desk: None,
        more: Callable[[int, int], bool] = lambda partition, offset: False,
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._outlet = outlet
        self._reader = reader
        self._clock = clock
        self._told = told
        self._more = more
        self._generation = generation
        self._busy = asyncio.Lock()
        self.desks: dict[int, Desk] = {}

    # -- what arrives -----------------------------------------------------------------------------------------

    def keep(self, owned: Iterable[int]) -> list[Desk]:
        """Forget the desks of partitions that are another worker's now, or were for a while; the forgotten ones."""
        generation, kept = self._generation(), set(owned)
        gone = [
            p for p, desk in self.desks.items() if p not in kept or not _unbroken(desk.generation, generation)
        ]
        forgotten = [self.desks.pop(p) for p in gone]
        for desk in self.desks.values():
            desk.generation = generation
        return forgotten

    async def settle(self, timeout: float) -> None:
        """Wait, for at most so many seconds, until what is being judged has been written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._busy:
                pass

    async def close(self, timeout: float) -> None:
        """The same, and begin with nothing more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._busy.acquire()

    async def take_segment(self, partition: int, offset: int, value: bytes | None) -> None:
        """Take the next record of `sli-segments`."""
        async with self._busy:
            await self._take_segment(partition, offset, value)

    async def _take_segment(self, partition: int, offset: int, value: bytes | None) -> None:
        generation = self._generation()
        desk = self.desks.get(partition)
        if desk is None or not _unbroken(desk.generation, generation):
            self.desks.pop(partition, None)
            desk = await self._rebuild(partition, offset)
            desk.generation = generation
            self.desks[partition] = desk
        if offset >= desk.next_offset:  # a rebalance goes back to what was committed last
            desk.next_offset = offset + 1
            desk.due = self._note(desk, value) or desk.due
        if desk.due and not self._may_wait(desk, offset):
            desk.due = False
            await self._move_on(desk)
            desk.moved_at = time.monotonic()

    def _may_wait(self, desk: Desk, offset: int) -> bool:
        """Whether to look at what follows first: a backlog is judged in few strides, each of which costs writes."""
        return time.monotonic() - desk.moved_at < _STRIDE and self._more(desk.partition, offset)

    async def take_input(self, partition: int, offset: int, value: bytes | None) -> None:
        """Take the next record of `incident-inputs`."""
        wish = _wish(offset, value)
        async with self._busy:  # a desk that is being rebuilt has perhaps read its inputs already
            desk = self.desks.get(partition)
            if wish is None or desk is None:
                return  # it will read its inputs itself
            self._note_wish(desk, wish)

    def _note_wish(self, desk: Desk, wish: _Wish) -> None:
        env = wish.value.env
        if env in desk.envs and wish.offset >= desk.inputs_to.get(env, 0):
            waiting = desk.wishes.setdefault(env, [])
            if all(other.offset != wish.offset for other in waiting):
                waiting.append(wish)

    def _note(self, desk: Desk, value: bytes | None) -> bool:
        """Take in a record; True if it was a frontier."""
        if value is None:
            return False
        try:
            record = decode(value)
        except FormatError as error:
            log.error("unreadable_segment", partition=desk.partition, error=str(error))
            return False
        if isinstance(record, Segment):
            self._admit(desk, desk.owners.segment(record))
            return False
        if not isinstance(record, Frontier):
            return False
        counts, admitted = desk.owners.frontier(record)
        self._admit(desk, admitted)
        if not counts:
            return False
        desk.partitions = max(desk.partitions, record.partitions)
        if record.blind_from is not None and record.watermark is not None:
            desk.unread.append((record.blind_from, record.watermark))
        known = desk.frontiers.get(record.partition)
        if known is not None:
            if record.next_offset < 0:
                return False  # who announces itself knows nothing yet
            reached = max((m for m in (known.watermark, record.watermark) if m is not None), default=None)
            record = msgspec.structs.replace(record, watermark=reached)
        desk.frontiers[record.partition] = record
        return True

    def _admit(self, desk: Desk, admitted: Iterable[Admitted]) -> None:
        for one in admitted:
            if isinstance(one, Segment):
                self._note_segment(desk, one)
            else:
                desk.totals.note(one[0], [one[1]])

    def _note_segment(self, desk: Desk, segment: Segment) -> None:
        if segment.env not in desk.envs:
            return
        key = (segment.partition, segment.block, segment.env)
        known = desk.covered.get(key)
        if known is not None and not (segment.first <= known[0] and segment.last > known[1]):
            return
        desk.covered[key] = (segment.first, segment.last)
        desk.totals.replace(key, segment.rows, self._policy)
        step = self._policy.step
        done = desk.judge.watch(segment.env).evaluated_to
        rows = segment.rows
        if desk.rebuilt and done is not None:
            rows = [row for row in rows if row.counts_from(step) > done]
        desk.pending[key] = rows

    # -- rebuilding -------------------------------------------------------------------------------------------

    async def _rebuild(self, partition: int, offset: int) -> Desk:
        """The desk of a partition as it was just before ``offset``."""
        topics, policy = self._settings.topics, self._policy
        envs = tuple(e for e in ENVS if env_partition(e, self._settings.partitions) == partition)
        states: dict[str, DeskState] = {}
        async for record in self._reader.read(TopicPartition(topics.watch_state, partition)):
            env = (record.key or b"").decode()
            if env in envs and record.value is not None:
                written, before = decode_state(record.value), states.get(env)
                # a worker that had lost the environment may have written late
                if before is None or progress(written) >= progress(before):
                    states[env] = written
        histories = {env: History(env) for env in envs}
        async for record in self._reader.read(TopicPartition(topics.history, partition)):
            if record.value is not None:
                entry = msgspec.json.decode(record.value)
                # What was completed after the last state comes again, and must not be known before.
                if entry["env"] in histories and was_complete(entry, states.get(entry["env"])):
                    histories[entry["env"]].add(entry)

        def make(env: str) -> Watch:
            state = states.get(env)
            return Watch(
                env,
                policy,
                histories[env],
                state=state.watch if state else None,
                sinks=self._settings.sinks,
                sli_every=policy.sli_every,
                durations=True,
            )

        judge = Judge(policy, make)
        desk = Desk(partition, envs, judge, offset, Totals(envs))
        for env in envs:
            watch = judge.watch(env)
            state = states.get(env)
            if state is not None:
                judge.boards[env].restore(state.board)
                desk.inputs_to[env] = state.inputs_to
                desk.assigned[env] = list(state.assigned)
                desk.state_at[env] = watch.evaluated_to or 0
        done = [w.evaluated_to for w in judge.watches.values() if w.evaluated_to is not None]
        desk.evaluated_to = max(done, default=None)
        # However long nobody has judged: what its windows held then is needed.
        since = min([self._clock(), *done]) - read_back(policy)
        covered = covered_from(since, policy)
        place = TopicPartition(topics.segments, partition)
        # To the end: what was judged may go beyond the offset that was committed last.
        async for record in self._reader.read(place, since=since):
            self._note(desk, record.value)
            desk.next_offset = max(desk.next_offset, record.offset + 1)
        step = policy.step
        for env in envs:
            watch = judge.watch(env)
            if watch.evaluated_to is None:
                continue
            until = watch.evaluated_to
            facts = [r for key, rows in desk.pending.items() if key[2] == env for r in rows]
            watch.rebuild([row for row in facts if row.counts_from(step) <= until], covered)
            for key, rows in desk.pending.items():
                if key[2] == env:
                    desk.pending[key] = [row for row in rows if row.counts_from(step) > until]
        async for record in self._reader.read(TopicPartition(topics.inputs, partition)):
            wish = _wish(record.offset, record.value)
            if wish is not None:
                self._note_wish(desk, wish)
        desk.rebuilt = desk.due = True
        watermark = desk.watermark()
        if watermark is not None:
            desk.judged_to = watermark - watermark % step
        log.info(
            "desk_rebuilt",
            partition=partition,
            envs=list(envs),
            evaluated_to=None if desk.evaluated_to is None else format_instant(desk.evaluated_to),
            offset=offset,
        )
        return desk

    # -- judging ----------------------------------------------------------------------------------------------

    async def _move_on(self, desk: Desk) -> None:
        watermark = desk.watermark()
        if watermark is None:
            return
        step = self._policy.step
        goal = watermark - watermark % step
        if desk.evaluated_to is None:
            firsts = [r.counts_from(step) for rows in desk.pending.values() for r in rows]
            desk.evaluated_to = min([f for f in firsts if f > 0] + [goal + step]) - step
        while desk.evaluated_to < goal:
            stride = max(1, int(_HELD_UP / desk.step_cost)) * step
            to = min(
                goal, desk.evaluated_to - desk.evaluated_to % _CHUNK + _CHUNK, desk.evaluated_to + stride
            )
            took = await self._evaluate(desk, to, goal)
            desk.step_cost = max(took * step / (to - desk.evaluated_to), _LEAST_COST)
            desk.evaluated_to = to
            if to < goal:
                await asyncio.sleep(0)
        self._told(desk)

    async def _evaluate(self, desk: Desk, to: int, goal: int) -> float:
        """Judge up to ``to`` and write what comes of it; how long the judging took, seconds."""
        step = self._policy.step
        rows: dict[str, list[FactRow]] = {}
        for key, waiting in list(desk.pending.items()):
            due = [row for row in waiting if row.counts_from(step) <= to]
            if due:
                rows.setdefault(key[2], []).extend(due)
                later = [row for row in waiting if row.counts_from(step) > to]
                desk.pending[key] = later
        desk.judge.add(rows)
        await self._assign_inputs(desk)
        asked = {env: [one for one in some if one[0] <= to] for env, some in desk.assigned.items()}
        behind = self._behind(desk, to, goal)
        began = time.perf_counter()
        verdicts = desk.judge.advance(to, asked, unread=desk.unread, catching_up=behind)
        took = time.perf_counter() - began
        desk.unread = [span for span in desk.unread if span[1] > to]
        for env, some in desk.assigned.items():
            desk.assigned[env] = [one for one in some if one[0] > to]
        await self._write(desk, to, verdicts)
        self._forget(desk, to)
        return took

    def _behind(self, desk: Desk, to: int, goal: int) -> bool:
        """Whether what is judged is too old for notifications to be news: ingest, the reading here, or judging lags."""
        limit = self._clock() - round(self._policy.lifecycle.catch_up_after * self._settings.pace)
        frontiers = desk.frontiers.values()
        unread = any(f.unread_since is not None and f.unread_since < limit for f in frontiers)
        stale = max(f.written_at for f in frontiers) < limit
        return unread or stale or (to < goal and to < limit)

    async def _assign_inputs(self, desk: Desk) -> None:
        """Give every waiting input its T, and write that down before it is acted on."""
        out = []
        for env, waiting in desk.wishes.items():
            if not waiting:
                continue
            reached = desk.judge.watch(env).evaluated_to
            reached = desk.evaluated_to or 0 if reached is None else reached
            at = max(reached, desk.judged_to) + self._policy.step
            for wish in sorted(waiting, key=lambda wish: wish.offset):
                desk.assigned.setdefault(env, []).append((at, wish.value))
                desk.inputs_to[env] = wish.offset + 1
            waiting.clear()
            out.append(self._state_out(desk, env))
        await self._outlet.write(out)

    async def _write(self, desk: Desk, to: int, verdicts: list[Verdict]) -> None:
        topics = self._settings.topics
        commands: list[Out] = []
        lines: list[Out] = []
        incidents: dict[str, Incident] = {}
        others: list[Out] = []
        moved: set[str] = set()
        for verdict in verdicts:
            brought = verdict.step
            commands += [command_out(topics, self._settings.partitions, c) for c in brought.commands]
            for transition in brought.transitions:
                incidents[transition.incident.id] = transition.incident
                lines.append(
                    log_out(topics, desk.partition, transition, self._offsets(desk), self._policy.hash)
                )
            lines += [
                refused_out(topics, desk.partition, brought.at, wish, why) for wish, why in brought.refused
            ]
            others += [banner_out(topics, desk.partition, b) for b in verdict.shown or verdict.banners]
            others += [sli_out(topics, desk.partition, value) for value in brought.sli]
            others += [history_out(topics, desk.partition, record) for record in brought.history]
            if brought.transitions or brought.refused or verdict.banners:
                moved.add(brought.env)
            if brought.incidents is not None and brought.at % _STATE_EVERY == 0:
                for incident in brought.incidents:
                    incidents[incident.id] = incident
        await self._outlet.write(commands)
        await self._outlet.write(lines)
        await self._outlet.write(
            Out(topics.incidents, i.id.encode(), encode_incident(i), desk.partition)
            for i in incidents.values()
        )
        await self._outlet.write(others)
        states = []
        for env, watch in desk.judge.watches.items():
            reached = watch.evaluated_to
            if reached is None:
                continue
            if env in moved or reached - desk.state_at.get(env, 0) >= _STATE_EVERY:
                states.append(self._state_out(desk, env))
                desk.state_at[env] = reached
        await self._outlet.write(states)

    def _offsets(self, desk: Desk) -> dict[int, int]:
        return {p: frontier.next_offset for p, frontier in sorted(desk.frontiers.items())}

    def _state_out(self, desk: Desk, env: str) -> Out:
        watch = desk.judge.watch(env)
        state = DeskState(
            watch=watch.state(),
            board=tuple(desk.judge.boards[env].shown()),
            inputs_to=desk.inputs_to.get(env, 0),
            assigned=tuple(desk.assigned.get(env, ())),
        )
        return Out(self._settings.topics.watch_state, env.encode(), encode_state(state), desk.partition)

    def _forget(self, desk: Desk, to: int) -> None:
        """Drop what no later record can replace any more."""
        desk.pending = {key: rows for key, rows in desk.pending.items() if rows}
        if len(desk.covered) > 4096:
            newest: dict[int, int] = {}
            for partition, block, _ in desk.covered:
                newest[partition] = max(newest.get(partition, 0), block)
            desk.covered = {
                key: span for key, span in desk.covered.items() if key[1] >= newest[key[0]] - 64 * 8192
            }


def _unbroken(before: int, now: int) -> bool:
    """Whether nobody else can have owned anything between two generations of the group, which may begin anew."""
    return now - 1 <= before <= now


def _wish(offset: int, value: bytes | None) -> _Wish | None:
    if value is None:
        return None
    try:
        return _Wish(offset, decode_input(value))
    except ValueError as error:
        log.warning("unreadable_input", offset=offset, error=str(error))
        return None
