"""How do segments become verdicts: the loop of a worker over the shards that it owns.

A *shard* is one partition of `sli-segments`: the environments whose facts it holds. A shard is restored from the topics
when its first record arrives, and evaluates whenever the frontiers of all input partitions have moved on. The verdicts
of a range of T are written in the order commands, log lines, incidents, everything else, state; each group is
acknowledged before the next is sent. After a crash in between, the next owner writes the same records again under the
same ids, and loses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from detectors.history.rollup import HISTORY_SPAN
from detectors.instants import format_instant
from streams.evaluate.evaluator import Verdict
from streams.evaluate.inputs import queued_input
from streams.evaluate.ownership.owner import Access, Owner, TakenOver
from streams.evaluate.policies.book import Policies
from streams.evaluate.restore import Restored, restore_shard
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.evaluate.verdict_writer import STATE_EVERY, VerdictWriter
from streams.kafka.producer import BatchProducer
from streams.kafka.refused.aside import AsideWriter
from streams.kafka.topic_reader import TopicReader
from streams.records.policies import InForce, last_before
from streams.records.reading import OwnRecords, Stored
from streams.runtime.clocks import Timing
from streams.runtime.judging_faults import JudgingFaults
from streams.runtime.progress import Progress

__all__ = ["Evaluate"]

log = structlog.get_logger(__name__)

#: The longest range of T that is evaluated at once, ms; between two of them the event loop gets its turn.
_LONGEST_RANGE = HISTORY_SPAN
#: While records wait to be read, a shard is evaluated no more often, seconds.
_STRIDE = 0.5
#: A range is cut so that its evaluation takes at most so long, seconds: its verdicts are written together.
_RANGE_SECONDS = 0.5
#: Evaluation holds up the event loop and its heartbeats: within a range the loop gets its turn so often, seconds.
_HELD_UP = 0.025
#: What a shard has read without any T to judge is told so often, seconds.
_NOTIFY_SECONDS = 1.0
#: The shard of this environment tells receivers that another policy is in force.
_TELLS_CHANGES = "prod"
#: The cost of one step, seconds: assumed before any has been measured, and the least that is assumed.
_FIRST_COST, _LEAST_COST = 0.02, 1e-6


@dataclass
class _Task:
    """A shard of this worker, and how its evaluation goes.

    Attributes:
        owner: this worker's ownership of the shard.
        judged_by: the policy that the shard judges by.
        generation: of the consumer group, the last in which the partition is known to have been this worker's.
        evaluated_at: when it was evaluated last, seconds of ``Timing.monotonic``.
        notified_at: when its values were told last, seconds of ``Timing.monotonic``.
        step_cost: what one step took when it was measured last, seconds.
    """

    shard: Shard
    owner: Owner
    judged_by: InForce
    generation: int
    evaluated_at: float = float("-inf")
    notified_at: float = float("-inf")
    step_cost: float = _FIRST_COST


class Evaluate:
    """All shards of a worker.

    Args:
        settings: topics, receivers and partitions.
        policies: which policy judges which T.
        producer: writes verdicts and states.
        reader: reads topics back when a shard is restored.
        timing: its clock serves catching up and metrics, never an evaluation; its timer measures what evaluation
            costs, which sizes the ranges of T that are evaluated at once.
        progress: is told how far each environment is evaluated.
        notify: called with a shard when its verdicts have been written, and once a second while it only reads.
        more: whether a partition of `sli-segments` is known to hold records after an offset.
        generation: of the consumer group, now.
        aside: writes what no next verdict needs; ``producer`` by default.
        records: what is done with records that cannot be read; they are only logged by default.
    """

    def __init__(
        self,
        settings: EvaluateSettings,
        policies: Policies,
        producer: BatchProducer,
        reader: TopicReader,
        timing: Timing,
        *,
        progress: Progress | None = None,
        notify: Callable[[Shard], None] = lambda shard: None,
        more: Callable[[int, int], bool] = lambda partition, offset: False,
        generation: Callable[[], int] = lambda: 0,
        aside: AsideWriter | None = None,
        records: OwnRecords | None = None,
    ) -> None:
        self._settings = settings
        self._policies = policies
        self._timing = timing
        self._progress = progress or Progress(timing.monotonic)
        self._faults = JudgingFaults(self._progress, timing.monotonic)
        self._notify = notify
        self._more = more
        self._generation = generation
        self._writer = VerdictWriter(settings, producer, aside or producer)
        self._access = Access(producer, reader, records or OwnRecords(settings.topics))
        self._busy = asyncio.Lock()
        self._tasks: dict[int, _Task] = {}

    @property
    def shards(self) -> Mapping[int, Shard]:
        """The shards that have been restored, by partition."""
        return {partition: task.shard for partition, task in self._tasks.items()}

    # -- which shards are ours --------------------------------------------------------------------------------

    def keep(self, owned: Iterable[int]) -> list[Shard]:
        """Drop the shards of partitions that another worker owns now, or may have owned for a while.

        Args:
            owned: the partitions that this worker owns now.

        Returns:
            the shards that were dropped.
        """
        generation, kept = self._generation(), set(owned)
        gone = [
            p
            for p, task in self._tasks.items()
            if p not in kept or not _unbroken(task.generation, generation)
        ]
        dropped = [self._drop(p) for p in gone]
        for task in self._tasks.values():
            task.generation = generation
        return dropped

    def _drop(self, partition: int) -> Shard:
        shard = self._tasks.pop(partition).shard
        for env in shard.envs:
            self._progress.evaluated(env, None)
            self._faults.forget(env)
        return shard

    async def settle(self, timeout: float) -> None:
        """Wait for at most ``timeout`` seconds until the verdicts of what is being evaluated have been written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._busy:
                pass

    async def close(self, timeout: float) -> None:
        """Wait for at most ``timeout`` seconds until verdicts have been written, and evaluate nothing afterwards."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._busy.acquire()

    # -- what arrives -----------------------------------------------------------------------------------------

    async def take_segment(
        self, partition: int, offset: int, value: bytes | None, key: bytes | None = None
    ) -> None:
        """Take the next record of `sli-segments`, and evaluate what it makes due.

        Raises:
            Unreadable: a record that decides verdicts cannot be read.
            TakenOver: another worker has taken over the partition, and this one was not told that it has lost it.
        """
        async with self._busy:
            task = await self._task(partition, offset)
            task.shard.take(Stored(offset, key, value))
            if task.shard.due and not self._may_wait(task, offset):
                task.shard.begin_round()
                try:
                    await self._evaluate(task)
                except TakenOver:
                    if self._tasks.get(partition) is task:
                        self._drop(partition)
                        raise
                task.evaluated_at = self._timing.monotonic()

    async def take_input(
        self, partition: int, offset: int, value: bytes | None, key: bytes | None = None
    ) -> None:
        """Take the next record of `incident-inputs`.

        Raises:
            Unreadable: a newer version wrote it.
        """
        reading = self._access.records.reading(self._settings.topics.inputs, partition)
        one = queued_input(reading, Stored(offset, key, value))
        reading.refuse()
        async with self._busy:  # a shard that is being restored may have read its inputs already
            task = self._tasks.get(partition)
            if (
                one is not None and task is not None
            ):  # a shard that is not restored yet will read its inputs itself
                task.shard.queue(one)

    async def _task(self, partition: int, offset: int) -> _Task:
        """The task of a partition; its shard is restored if it is new here, or may have had another owner."""
        generation = self._generation()
        task = self._tasks.get(partition)
        if task is None or not _unbroken(task.generation, generation):
            if task is not None:
                self._drop(partition)
            found = await self._restore(partition, offset)
            task = self._tasks[partition] = _Task(found.shard, found.owner, found.judged_by, generation)
        return task

    async def _restore(self, partition: int, offset: int, begin_at: int | None = None) -> Restored:
        now = self._timing.clock()
        async with self._access.reader.kept():
            schedule = await self._policies.settled(now)
            found = await restore_shard(
                self._settings, schedule, self._access, now, partition, offset, begin_at=begin_at
            )
        await self._writer.write_missing(partition, found.missing, found.missing_days)
        await self._tell_change(found)
        return found

    async def _tell_change(self, found: Restored) -> None:
        """Tell receivers of a policy that judges the next T for the first time: each owner that begins there."""
        shard, since = found.shard, found.judged_by.since
        first = last_before(since, shard.policy.step) + shard.policy.step
        reached = shard.evaluated_to
        if _TELLS_CHANGES in shard.envs and reached is not None and reached + shard.policy.step == first:
            await self._writer.write_change(shard.policy, first)

    def _may_wait(self, task: _Task, offset: int) -> bool:
        """Whether to read on first: a backlog is evaluated in few rounds, as each of them costs writes."""
        since = self._timing.monotonic() - task.evaluated_at
        return since < _STRIDE and self._more(task.shard.partition, offset)

    # -- evaluating -------------------------------------------------------------------------------------------

    async def _evaluate(self, task: _Task) -> None:
        """Evaluate a shard up to its watermark, range by range, each T by the policy that is in force there."""
        shard, step = task.shard, task.shard.policy.step
        watermark = shard.watermark()
        if watermark is None:
            return
        self._report(shard)
        goal = watermark - watermark % step
        schedule = await self._policies.settled(goal)
        reached = begun = shard.begin_at(goal)
        while reached < goal:
            if schedule.at(reached + step).hash != task.judged_by.hash:
                await self._change_policy(task, reached)
                shard = task.shard
                reached = shard.begin_at(goal)
                continue
            change = schedule.next_change(reached + step)
            affordable = max(1, int(_RANGE_SECONDS / task.step_cost)) * step
            to = min(goal, reached - reached % _LONGEST_RANGE + _LONGEST_RANGE, reached + affordable)
            if change is not None:
                to = min(to, last_before(change, step))
            # A state that a policy of another step has left may stand between two T.
            to = max(to - to % step, reached - reached % step + step)
            took = await self._evaluate_range(task, to, goal)
            task.step_cost = max(took * step / (to - reached), _LEAST_COST)
            reached = to
            if to < goal:
                await asyncio.sleep(0)
        now = self._timing.monotonic()
        if reached > begun or now - task.notified_at >= _NOTIFY_SECONDS:
            task.notified_at = now
            self._notify(shard)

    async def _change_policy(self, task: _Task, reached: int) -> None:
        """Go on under the policy that is in force behind ``reached`` (T, ms): as after a restart at this T.

        The states of all environments are written first, as what was found there under the policy before. The windows
        are filled anew from facts, so that the next policy classes and counts them.
        """
        before, begin_at = task.shard, reached + task.shard.policy.step
        if before.evaluated_to is not None:
            await self._evaluate_range(task, reached, reached, states_every=0)
        found = await self._restore(before.partition, before.next_offset, begin_at)
        task.shard, task.owner, task.judged_by = found.shard, found.owner, found.judged_by
        log.info(
            "policy_in_force",
            policy=task.judged_by.hash,
            before=before.policy.hash,
            since=format_instant(begin_at),
            envs=list(task.shard.envs),
        )

    async def _evaluate_range(
        self, task: _Task, to: int, goal: int, states_every: int = STATE_EVERY
    ) -> float:
        """Evaluate up to ``to`` (T, ms) and write the verdicts; the seconds that the evaluation took.

        Args:
            task: the shard, and whose it is.
            to: the end of the range.
            goal: the T up to which the shard is due.
            states_every: a state that has not changed is written again after so long, ms of event time.

        Raises:
            TakenOver: another worker has taken over the shard; nothing was written.
        """
        shard, owner = task.shard, task.owner
        shard.collect(to)
        given = shard.schedule_inputs()
        if given or to > owner.judged_to:
            await self._writer.claim(shard, owner, goal, given)
        verdicts: list[Verdict] = []
        took, began = 0.0, self._timing.timer()
        for _ in shard.advance_in_parts(to, verdicts, catching_up=self._behind(shard, to, goal)):
            held = self._timing.timer() - began
            if held >= _HELD_UP:
                took += held
                await asyncio.sleep(0)
                began = self._timing.timer()
        took += self._timing.timer() - began
        await asyncio.sleep(0)
        await self._writer.write(shard, owner, verdicts, states_every)
        shard.complete(to)
        for env in shard.envs:
            self._faults.note(env, shard.engine(env).faults.take())
        self._report(shard)
        return took

    def _report(self, shard: Shard) -> None:
        """Report how far the environments of a shard are evaluated, and which input partition holds them back."""
        reached = shard.evaluated_to
        if reached is not None:
            held = shard.held_back_by()
            for env in shard.envs:
                self._progress.evaluated(env, reached, held_back_by=held)

    def _behind(self, shard: Shard, to: int, goal: int) -> bool:
        """Whether notifications up to ``to`` would be old news: ingest, the reading here, or the evaluation lags."""
        limit = self._timing.clock() - round(shard.policy.lifecycle.catch_up_after * self._settings.pace)
        return shard.lags(limit) or (to < goal and to < limit)


def _unbroken(before: int, now: int) -> bool:
    """Whether no other worker can have owned a partition between two generations of the group.

    Generations are numbered from 0 anew when the group has been empty.
    """
    return now - 1 <= before <= now
