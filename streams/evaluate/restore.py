"""How is a shard restored from the topics, as it was just before an offset of `sli-segments`?"""

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
from streams.evaluate.shard import Shard, queued_input
from streams.evaluate.shard_state import (
    ShardState,
    decode_state,
    latest,
    read_back,
    was_complete,
)
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics, env_partition

__all__ = ["restore_shard"]

log = structlog.get_logger(__name__)


async def restore_shard(
    settings: EvaluateSettings, policy: Policy, reader: TopicReader, now: int, partition: int, offset: int
) -> Shard:
    """The shard of a partition as it was just before ``offset``.

    Args:
        settings: topics, receivers and partitions.
        policy: the policy.
        reader: reads the topics.
        now: the present, ms since the epoch.
        partition: of `sli-segments`.
        offset: of the first record that has not been taken.

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
            state=state.engine if state else None,
            sinks=settings.sinks,
            sli_every=policy.sli_every,
            durations=True,
        )

    shard = Shard(partition, envs, Evaluator(policy, make), offset)
    done = [reached for env in envs if (reached := shard.engine(env).evaluated_to) is not None]
    for env, state in states.items():
        shard.restore_state(env, state)
    # However long nobody has evaluated: the windows are filled with what they held at the last T.
    since = min([now, *done]) - read_back(policy)
    # The whole topic: segments beyond the committed offset may have been evaluated.
    async for record in reader.read(TopicPartition(topics.segments, partition), since=since):
        shard.restore_record(record.offset, record.value)
    for _ in shard.restore_windows(since):
        await asyncio.sleep(0)
    async for record in reader.read(TopicPartition(topics.inputs, partition)):
        one = queued_input(record.offset, record.value)
        if one is not None:
            shard.queue(one)
    shard.finish_restore()
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
            states[env] = latest(states.get(env), decode_state(record.value))
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
