"""A shard as it was just before an offset of `sli-segments`, rebuilt from the topics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import structlog
from aiokafka import TopicPartition

from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.instants import format_instant
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard, wish_of
from streams.evaluate.shard_state import (
    ShardState,
    covered_from,
    decode_state,
    progress,
    read_back,
    was_complete,
)
from streams.evaluate.totals import Totals
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics, env_partition

__all__ = ["rebuilt"]

log = structlog.get_logger(__name__)


async def rebuilt(
    settings: EvaluateSettings, policy: Policy, reader: TopicReader, now: int, partition: int, offset: int
) -> Shard:
    """The shard of a partition as it was just before ``offset``.

    Args:
        settings, policy, reader: as of ``Evaluate``.
        now: ms since the epoch.

    Raises:
        KafkaError, OSError: a topic cannot be read, and the reader is not patient.
    """
    topics = settings.topics
    envs = tuple(env for env in ENVS if env_partition(env, settings.partitions) == partition)
    states = await _states(reader, topics, partition, envs)
    histories = await _histories(reader, topics, partition, envs, states)

    def make(env: str) -> Engine:
        state = states.get(env)
        return Engine(
            env,
            policy,
            histories[env],
            state=state.watch if state else None,
            sinks=settings.sinks,
            sli_every=policy.sli_every,
            durations=True,
        )

    shard = Shard(partition, envs, Evaluator(policy, make), offset, Totals(envs))
    for env in envs:
        engine = shard.evaluator.engine(env)
        state = states.get(env)
        if state is not None:
            shard.evaluator.boards[env].restore(state.board)
            shard.inputs_to[env] = state.inputs_to
            shard.assigned[env] = list(state.assigned)
            shard.state_at[env] = engine.evaluated_to or 0
    done = [w.evaluated_to for w in shard.evaluator.engines.values() if w.evaluated_to is not None]
    shard.evaluated_to = max(done, default=None)
    # However long nobody has judged: what its windows held then is needed.
    since = min([now, *done]) - read_back(policy)
    # To the end: what was judged may go beyond the offset that was committed last.
    async for record in reader.read(TopicPartition(topics.segments, partition), since=since):
        shard.note(record.value)
        shard.next_offset = max(shard.next_offset, record.offset + 1)
    for _ in shard.open_all():
        await asyncio.sleep(0)
    for env in envs:
        engine = shard.evaluator.engine(env)
        if engine.evaluated_to is not None:
            known = shard.take_due(engine.evaluated_to, env)
            for _ in engine.rebuilding(known.get(env, ()), covered_from(since, policy)):
                await asyncio.sleep(0)
    async for record in reader.read(TopicPartition(topics.inputs, partition)):
        wish = wish_of(record.offset, record.value)
        if wish is not None:
            shard.note_wish(wish)
    shard.rebuilt = shard.due = True
    watermark = shard.watermark()
    if watermark is not None:
        shard.judged_to = watermark - watermark % policy.step
    log.info(
        "restore_completed",
        partition=partition,
        envs=list(envs),
        evaluated_to=None if shard.evaluated_to is None else format_instant(shard.evaluated_to),
        offset=offset,
    )
    return shard


async def _states(
    reader: TopicReader, topics: Topics, partition: int, envs: tuple[str, ...]
) -> dict[str, ShardState]:
    """The last state of each environment."""
    states: dict[str, ShardState] = {}
    async for record in reader.read(TopicPartition(topics.watch_state, partition)):
        env = (record.key or b"").decode()
        if env in envs and record.value is not None:
            written, before = decode_state(record.value), states.get(env)
            # a worker that had lost the environment may have written late
            if before is None or progress(written) >= progress(before):
                states[env] = written
    return states


async def _histories(
    reader: TopicReader,
    topics: Topics,
    partition: int,
    envs: tuple[str, ...],
    states: Mapping[str, ShardState],
) -> dict[str, History]:
    """The history of each environment as it was when its state was written."""
    histories = {env: History(env) for env in envs}
    async for record in reader.read(TopicPartition(topics.history, partition)):
        if record.value is not None:
            entry = msgspec.json.decode(record.value)
            # What was completed after the last state comes again, and must not be known before.
            if entry["env"] in histories and was_complete(entry, states.get(entry["env"])):
                histories[entry["env"]].add(entry)
    return histories
