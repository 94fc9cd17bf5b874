"""Segments in, verdicts out: what one worker does for the environments it owns.

A *shard* is one partition of `sli-segments`: the environments whose facts it holds. It is rebuilt from the topics when
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
from streams.evaluate.shard import Shard, wish_of
from streams.evaluate.shard_state import ShardState, encode_state
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.records.models import encode_incident
from streams.records.verdicts import banner_out, command_out, history_out, log_out, refused_out, sli_out
from streams.runtime.clocks import Timing

__all__ = ["Evaluate", "EvaluateSettings", "Shard"]

log = structlog.get_logger(__name__)

#: The state is written at least so often, in event time, so that a restart does not judge much again.
_STATE_EVERY = 10_000
#: Evaluated in one go; between two of these the event loop gets its turn.
_CHUNK = HISTORY_SPAN
#: While records wait to be read, a shard moves on no more often, seconds.
_STRIDE = 0.5
#: Judging holds up the event loop and its heartbeats: no more is judged in one go than will take so long, seconds.
_HELD_UP = 0.5
#: What a step is taken to cost at least, seconds.
_LEAST_COST = 1e-6


class Evaluate:
    """All shards of a worker.

    Args:
        settings: how it runs.
        policy: the policy.
        producer: where verdicts are written.
        reader: reads topics back when a shard is rebuilt.
        timing: its clock serves catching up and metrics, never judgement; its timer measures what judging costs,
            which sizes what is judged in one go.
        told: called with a shard whenever it has moved on (metrics).
        more: whether a partition of `sli-segments` is known to hold records after an offset.
        generation: of the consumer group, now.
    """

    def __init__(
        self,
        settings: EvaluateSettings,
        policy: Policy,
        producer: BatchProducer,
        reader: TopicReader,
        timing: Timing,
        *,
        told: Callable[[Shard], None] = lambda shard: None,
        more: Callable[[int, int], bool] = lambda partition, offset: False,
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._producer = producer
        self._reader = reader
        self._timing = timing
        self._told = told
        self._more = more
        self._generation = generation
        self._busy = asyncio.Lock()
        self.shards: dict[int, Shard] = {}

    # -- what arrives -----------------------------------------------------------------------------------------

    def keep(self, owned: Iterable[int]) -> list[Shard]:
        """Forget the shards of partitions that are another worker's now, or were for a while; the forgotten ones."""
        generation, kept = self._generation(), set(owned)
        gone = [
            p
            for p, shard in self.shards.items()
            if p not in kept or not _unbroken(shard.generation, generation)
        ]
        forgotten = [self.shards.pop(p) for p in gone]
        for shard in self.shards.values():
            shard.generation = generation
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
        shard = self.shards.get(partition)
        if shard is None or not _unbroken(shard.generation, generation):
            self.shards.pop(partition, None)
            shard = await self._rebuild(partition, offset)
            shard.generation = generation
            self.shards[partition] = shard
        if offset >= shard.next_offset:  # a rebalance goes back to what was committed last
            shard.next_offset = offset + 1
            shard.due = shard.note(value) or shard.due
        if shard.due and not self._may_wait(shard, offset):
            shard.due = False
            await self._move_on(shard)
            shard.moved_at = self._timing.monotonic()

    def _may_wait(self, shard: Shard, offset: int) -> bool:
        """Whether to look at what follows first: a backlog is judged in few strides, each of which costs writes."""
        return self._timing.monotonic() - shard.moved_at < _STRIDE and self._more(shard.partition, offset)

    async def take_input(self, partition: int, offset: int, value: bytes | None) -> None:
        """Take the next record of `incident-inputs`."""
        wish = wish_of(offset, value)
        async with self._busy:  # a shard that is being rebuilt has perhaps read its inputs already
            shard = self.shards.get(partition)
            if wish is None or shard is None:
                return  # it will read its inputs itself
            shard.note_wish(wish)

    async def _rebuild(self, partition: int, offset: int) -> Shard:
        return await rebuilt(
            self._settings, self._policy, self._reader, self._timing.clock(), partition, offset
        )

    # -- judging ----------------------------------------------------------------------------------------------

    async def _move_on(self, shard: Shard) -> None:
        watermark = shard.watermark()
        if watermark is None:
            return
        step = self._policy.step
        goal = watermark - watermark % step
        if shard.evaluated_to is None:
            firsts = [r.counts_from(step) for rows in shard.pending.values() for r in rows]
            shard.evaluated_to = min([f for f in firsts if f > 0] + [goal + step]) - step
        while shard.evaluated_to < goal:
            stride = max(1, int(_HELD_UP / shard.step_cost)) * step
            to = min(
                goal, shard.evaluated_to - shard.evaluated_to % _CHUNK + _CHUNK, shard.evaluated_to + stride
            )
            took = await self._evaluate(shard, to, goal)
            shard.step_cost = max(took * step / (to - shard.evaluated_to), _LEAST_COST)
            shard.evaluated_to = to
            if to < goal:
                await asyncio.sleep(0)
        self._told(shard)

    async def _evaluate(self, shard: Shard, to: int, goal: int) -> float:
        """Judge up to ``to`` and write what comes of it; how long the judging took, seconds."""
        shard.evaluator.add(shard.take_due(to))
        await self._assign_inputs(shard)
        asked = {env: [one for one in some if one[0] <= to] for env, some in shard.assigned.items()}
        behind = self._behind(shard, to, goal)
        began = self._timing.timer()
        verdicts = shard.evaluator.advance(to, asked, unread=shard.unread, catching_up=behind)
        took = self._timing.timer() - began
        shard.unread = [span for span in shard.unread if span[1] > to]
        for env, some in shard.assigned.items():
            shard.assigned[env] = [one for one in some if one[0] > to]
        await self._write(shard, to, verdicts)
        shard.forget()
        return took

    def _behind(self, shard: Shard, to: int, goal: int) -> bool:
        """Whether what is judged is too old for notifications to be news: ingest, the reading here, or judging lags."""
        limit = self._timing.clock() - round(self._policy.lifecycle.catch_up_after * self._settings.pace)
        frontiers = shard.frontiers.values()
        unread = any(f.unread_since is not None and f.unread_since < limit for f in frontiers)
        stale = max(f.written_at for f in frontiers) < limit
        return unread or stale or (to < goal and to < limit)

    async def _assign_inputs(self, shard: Shard) -> None:
        """Give every waiting input its T, and write that down before it is acted on."""
        out = []
        for env, waiting in shard.wishes.items():
            if not waiting:
                continue
            reached = shard.evaluator.engine(env).evaluated_to
            reached = shard.evaluated_to or 0 if reached is None else reached
            at = max(reached, shard.judged_to) + self._policy.step
            for wish in sorted(waiting, key=lambda wish: wish.offset):
                shard.assigned.setdefault(env, []).append((at, wish.value))
                shard.inputs_to[env] = wish.offset + 1
            waiting.clear()
            out.append(self._state_out(shard, env))
        await self._producer.write(out)

    async def _write(self, shard: Shard, to: int, verdicts: list[Verdict]) -> None:
        topics = self._settings.topics
        commands: list[ProducerRecord] = []
        lines: list[ProducerRecord] = []
        incidents: dict[str, Incident] = {}
        others: list[ProducerRecord] = []
        moved: set[str] = set()
        for verdict in verdicts:
            brought = verdict.result
            commands += [command_out(topics, self._settings.partitions, c) for c in brought.commands]
            for transition in brought.transitions:
                incidents[transition.incident.id] = transition.incident
                lines.append(
                    log_out(topics, shard.partition, transition, self._offsets(shard), self._policy.hash)
                )
            lines += [
                refused_out(topics, shard.partition, brought.at, wish, why) for wish, why in brought.refused
            ]
            others += [banner_out(topics, shard.partition, b) for b in verdict.shown or verdict.banners]
            others += [sli_out(topics, shard.partition, value) for value in brought.sli]
            others += [history_out(topics, shard.partition, record) for record in brought.history]
            if brought.transitions or brought.refused or verdict.banners:
                moved.add(brought.env)
            if brought.incidents is not None and brought.at % _STATE_EVERY == 0:
                for incident in brought.incidents:
                    incidents[incident.id] = incident
        await self._producer.write(commands)
        await self._producer.write(lines)
        await self._producer.write(
            ProducerRecord(topics.incidents, i.id.encode(), encode_incident(i), shard.partition)
            for i in incidents.values()
        )
        await self._producer.write(others)
        states = []
        for env, engine in shard.evaluator.engines.items():
            reached = engine.evaluated_to
            if reached is None:
                continue
            if env in moved or reached - shard.state_at.get(env, 0) >= _STATE_EVERY:
                states.append(self._state_out(shard, env))
                shard.state_at[env] = reached
        await self._producer.write(states)

    def _offsets(self, shard: Shard) -> dict[int, int]:
        return {p: frontier.next_offset for p, frontier in sorted(shard.frontiers.items())}

    def _state_out(self, shard: Shard, env: str) -> ProducerRecord:
        engine = shard.evaluator.engine(env)
        state = ShardState(
            watch=engine.state(),
            board=tuple(shard.evaluator.boards[env].shown()),
            inputs_to=shard.inputs_to.get(env, 0),
            assigned=tuple(shard.assigned.get(env, ())),
        )
        return ProducerRecord(
            self._settings.topics.watch_state, env.encode(), encode_state(state), shard.partition
        )


def _unbroken(before: int, now: int) -> bool:
    """Whether nobody else can have owned anything between two generations of the group, which may begin anew."""
    return now - 1 <= before <= now
