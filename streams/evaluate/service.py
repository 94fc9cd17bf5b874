"""Segments in, verdicts out: what one worker does for the environments it owns.

A *desk* is one partition of `sli-segments`: the environments whose facts it holds. It is rebuilt from the topics when
its first record arrives, and judges whenever the frontiers of all input partitions let it move on. What a T brought is
written in the order commands, log lines, incidents, everything else, state, each acknowledged before the next: a crash
in between repeats what it had begun, under the same ids, and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import Incident
from detectors.policy.policy import Policy
from streams.evaluate.evaluator import Verdict
from streams.evaluate.restore import rebuilt
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Desk, wish_of
from streams.evaluate.shard_state import DeskState, encode_state
from streams.kafka.producer import Out, Outlet
from streams.kafka.topic_reader import Reader
from streams.records.models import encode_incident
from streams.records.verdicts import banner_out, command_out, history_out, log_out, refused_out, sli_out
from streams.runtime.clocks import Timing

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
#: What a step is taken to cost at least, seconds.
_LEAST_COST = 1e-6


class Evaluate:
    """All desks of a worker.

    Args:
        settings: how it runs.
        policy: the policy.
        outlet: where verdicts are written.
        reader: reads topics back when a desk is rebuilt.
        timing: its clock serves catching up and metrics, never judgement; its timer measures what judging costs,
            which sizes what is judged in one go.
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
        timing: Timing,
        *,
        told: Callable[[Desk], None] = lambda desk: None,
        more: Callable[[int, int], bool] = lambda partition, offset: False,
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._outlet = outlet
        self._reader = reader
        self._timing = timing
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
            desk.due = desk.note(value) or desk.due
        if desk.due and not self._may_wait(desk, offset):
            desk.due = False
            await self._move_on(desk)
            desk.moved_at = self._timing.monotonic()

    def _may_wait(self, desk: Desk, offset: int) -> bool:
        """Whether to look at what follows first: a backlog is judged in few strides, each of which costs writes."""
        return self._timing.monotonic() - desk.moved_at < _STRIDE and self._more(desk.partition, offset)

    async def take_input(self, partition: int, offset: int, value: bytes | None) -> None:
        """Take the next record of `incident-inputs`."""
        wish = wish_of(offset, value)
        async with self._busy:  # a desk that is being rebuilt has perhaps read its inputs already
            desk = self.desks.get(partition)
            if wish is None or desk is None:
                return  # it will read its inputs itself
            desk.note_wish(wish)

    async def _rebuild(self, partition: int, offset: int) -> Desk:
        return await rebuilt(
            self._settings, self._policy, self._reader, self._timing.clock(), partition, offset
        )

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
        desk.judge.add(desk.take_due(to))
        await self._assign_inputs(desk)
        asked = {env: [one for one in some if one[0] <= to] for env, some in desk.assigned.items()}
        behind = self._behind(desk, to, goal)
        began = self._timing.timer()
        verdicts = desk.judge.advance(to, asked, unread=desk.unread, catching_up=behind)
        took = self._timing.timer() - began
        desk.unread = [span for span in desk.unread if span[1] > to]
        for env, some in desk.assigned.items():
            desk.assigned[env] = [one for one in some if one[0] > to]
        await self._write(desk, to, verdicts)
        desk.forget()
        return took

    def _behind(self, desk: Desk, to: int, goal: int) -> bool:
        """Whether what is judged is too old for notifications to be news: ingest, the reading here, or judging lags."""
        limit = self._timing.clock() - round(self._policy.lifecycle.catch_up_after * self._settings.pace)
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
            reached = desk.judge.engine(env).evaluated_to
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
        for env, engine in desk.judge.engines.items():
            reached = engine.evaluated_to
            if reached is None:
                continue
            if env in moved or reached - desk.state_at.get(env, 0) >= _STATE_EVERY:
                states.append(self._state_out(desk, env))
                desk.state_at[env] = reached
        await self._outlet.write(states)

    def _offsets(self, desk: Desk) -> dict[int, int]:
        return {p: frontier.next_offset for p, frontier in sorted(desk.frontiers.items())}

    def _state_out(self, desk: Desk, env: str) -> Out:
        engine = desk.judge.engine(env)
        state = DeskState(
            watch=engine.state(),
            board=tuple(desk.judge.boards[env].shown()),
            inputs_to=desk.inputs_to.get(env, 0),
            assigned=tuple(desk.assigned.get(env, ())),
        )
        return Out(self._settings.topics.watch_state, env.encode(), encode_state(state), desk.partition)


def _unbroken(before: int, now: int) -> bool:
    """Whether nobody else can have owned anything between two generations of the group, which may begin anew."""
    return now - 1 <= before <= now
