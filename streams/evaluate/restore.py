"""How is a shard restored from the topics, as it was just before an offset of `sli-segments`?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka import TopicPartition

from detectors.detection.faults import Faults
from detectors.engine.engine import Engine
from detectors.engine.sla_days import day_of
from detectors.history.history import KEPT, History
from detectors.instants import DAY, format_instant
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from detectors.values import normalised
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.inputs import queued_input
from streams.evaluate.ownership.owner import Access, Owner, take_over
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.evaluate.shard_state import ShardState, read_back, was_complete
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics, env_partition, holds_unlisted
from streams.records.policies import InForce, PolicySchedule
from streams.records.reading import OwnRecords, Reading

__all__ = ["Restored", "restore_shard"]

#: So many records of the history may be made again: of two hours and a half, in all environments of a partition.
_COMPARED = 500

log = structlog.get_logger(__name__)


class Restored(NamedTuple):
    """A shard that was restored.

    Attributes:
        shard: as it was.
        owner: this worker's ownership of it.
        judged_by: the policy by which it goes on.
        missing: the records that `sli-history` lacks.
        missing_days: the records that `sla-days` lacks.
    """

    shard: Shard
    owner: Owner
    judged_by: InForce
    missing: list[dict[str, object]]
    missing_days: list[dict[str, Any]]


async def restore_shard(
    settings: EvaluateSettings,
    policies: PolicySchedule,
    access: Access,
    now: int,
    partition: int,
    offset: int,
    *,
    begin_at: int | None = None,
) -> Restored:
    """The shard of a partition as it was just before ``offset``; the partition of `watch-state` is taken over first.

    A worker that ended while `sli-history` took no records may have left some out; the latest are made from facts.

    Args:
        settings: topics, receivers and partitions.
        policies: which policy judges which T.
        access: reads the topics, and writes the claim.
        now: the present, ms since the epoch.
        partition: of `sli-segments`.
        offset: of the first record that has not been taken.
        begin_at: the T (ms) at which a shard begins of which no state is known.

    Raises:
        KafkaError, OSError: a topic cannot be read, and the reader is not patient.
        Unreadable: a record that decides verdicts cannot be read.
        LeaseLost: this worker may not write any more.
    """
    topics, reader, records = settings.topics, access.reader, access.records
    listed = tuple(env for env in ENVS if env_partition(env, settings.partitions) == partition)
    unlisted = holds_unlisted(partition, settings.partitions)
    owned = TopicPartition(topics.watch_state, partition)
    owner, stood = await take_over(access, owned, _is_ours(listed, unlisted))
    states = stood.states()
    envs = (*listed, *sorted(states.keys() - set(listed)))
    done = [at for state in states.values() if (at := state.engine.evaluated_to) is not None]
    judged_by, policy = _judged_by(policies, done, now if begin_at is None else begin_at)
    histories = {env: History.of(env, policy) for env in envs}
    past = TopicPartition(topics.history, partition)
    written = await _fill_histories(reader, records.reading(past.topic, partition), past, states, histories)

    make = _maker(settings, policy, states, histories)
    reading = records.reading(topics.segments, partition)
    shard = Shard(partition, listed, Evaluator(policy, make), offset, reading, unlisted=unlisted)
    for env in envs:
        shard.engine(env)
    for env, state in states.items():
        shard.restore_state(env, state)
    # However long nobody has evaluated: the windows are filled with what they held at the last T.
    since = min([now, *done]) - read_back(policy)
    await _fill(shard, reader, topics, since, records)
    shard.finish_restore(stood.judged_to)
    _tell(shard, owner, offset)
    missing = _missing(shard, written)
    place = TopicPartition(topics.days, partition)
    told = await _dates_told(reader, records.reading(place.topic, partition), place, now - KEPT - DAY)
    return Restored(shard, owner, judged_by, missing, _missing_days(shard, missing, told))


def _maker(
    settings: EvaluateSettings,
    policy: Policy,
    states: Mapping[str, ShardState],
    histories: Mapping[str, History],
) -> Callable[[str], Engine]:
    """Return what makes the engine of an environment from its state, if it has one."""

    def make(env: str) -> Engine:
        state = states.get(env)
        return Engine(
            env,
            policy,
            histories.get(env) or History.of(env, policy),
            state=state.engine if state else None,
            sinks=settings.sinks,
            sli_every=policy.sli_every,
            durations=True,
            faults=Faults(strict=False),
        )

    return make


def _judged_by(policies: PolicySchedule, done: Sequence[int], begin_at: int) -> tuple[InForce, Policy]:
    """The policy by which a shard goes on behind the least of the T that were evaluated (ms), if any was.

    Where environments of a shard stand at different T, the policy of the least judges the others' last T again, and
    nothing comes of that: what they have evaluated is not evaluated again.

    Raises:
        Unreadable: this build cannot use the policy.
    """
    if not done:
        judged_by = policies.at(begin_at)
        return judged_by, judged_by.policy()
    judged_by = policies.at(min(done))
    behind = policies.at(min(done) + judged_by.policy().step)
    return behind, behind.policy()


def _tell(shard: Shard, owner: Owner, offset: int) -> None:
    """Log that a shard is restored."""
    reached = shard.evaluated_to
    log.info(
        "restore_completed",
        partition=shard.partition,
        envs=list(shard.envs),
        evaluated_to=None if reached is None else format_instant(reached),
        offset=offset,
        term=owner.term,
    )


async def _fill(shard: Shard, reader: TopicReader, topics: Topics, since: int, records: OwnRecords) -> None:
    """Fill a shard's windows with the segments from ``since`` (ms) on, and queue the inputs that wait.

    Raises:
        Unreadable: a record that decides verdicts cannot be read, or a newer version wrote one.
    """
    # The whole topic: segments beyond the committed offset may have been evaluated.
    async for record in reader.read(TopicPartition(topics.segments, shard.partition), since=since):
        shard.restore_record(record)
    for _ in shard.restore_windows(since):
        await asyncio.sleep(0)
    inputs = records.reading(topics.inputs, shard.partition)
    async for record in reader.read(TopicPartition(topics.inputs, shard.partition)):
        one = queued_input(inputs, record)
        if one is not None:
            shard.queue(one)
    inputs.refuse()


def _missing(shard: Shard, written: Mapping[tuple[str, str], object]) -> list[dict[str, object]]:
    """The records of the history that were made again from facts and differ from what the topic has."""
    return [
        record
        for env in shard.envs
        for record in shard.engine(env).restored_history
        if written.get((env, format_instant(_start(record)))) != _content(record)
    ]


async def _dates_told(
    reader: TopicReader, reading: Reading, place: TopicPartition, since: int
) -> set[tuple[str, str]]:
    """Environment and date of each day that was written to `sla-days` from an instant (ms) on."""
    told: set[tuple[str, str]] = set()

    def take(value: bytes) -> None:
        record = msgspec.json.decode(value, type=_DayRecord)
        told.add((record.env, record.date))

    async for record in reader.read(place, since=since):
        reading.take(record, take)
    reading.refuse(lambda key: False)
    return told


class _DayRecord(msgspec.Struct):
    env: str
    date: str


def _missing_days(
    shard: Shard, missing: Sequence[Mapping[str, Any]], told: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The records of the days that were told never, or whose five minutes were made again."""
    zone = shard.policy.time_zone
    changed = {(str(record["env"]), day_of(_start(record), zone).date) for record in missing}
    found: list[dict[str, Any]] = []
    for env in shard.envs:
        engine = shard.engine(env)
        at = engine.evaluated_to if engine.evaluated_to is not None else engine.history.end
        if at is not None:
            dates = {date for of, date in told - changed if of == env}
            found += engine.days.missing(at, dates, engine.exclusions())
    return found


def _content(record: Mapping[str, Any]) -> object:
    """What a record of the history says of its five minutes; the form before names no scopes that were covered."""
    return record.get("leaves"), list(record.get("excluded", ()))


def _start(record: Mapping[str, Any]) -> int:
    """The start of a record of the history, ms."""
    return int(record["at"])


def _is_ours(listed: tuple[str, ...], unlisted: bool) -> Callable[[str], bool]:
    """Return what says whether a key of `watch-state` is that of an environment of the partition."""
    return lambda env: env in listed or (unlisted and env not in ENVS and normalised(env) == env)


async def _fill_histories(
    reader: TopicReader,
    reading: Reading,
    place: TopicPartition,
    states: Mapping[str, ShardState],
    histories: Mapping[str, History],
) -> dict[tuple[str, str], object]:
    """Fill the history of each environment as it was when its state was written; return what each record says.

    What is returned is of the last complete record of an environment and start; of the newest records alone. Five
    minutes that cannot be read are passed by: what is usual is a median over weeks.

    Raises:
        Unreadable: a newer version wrote a record.
    """
    written: dict[tuple[str, str], object] = {}

    def take(value: bytes) -> None:
        entry = msgspec.json.decode(value, type=dict[str, Any])
        # What was completed after the last state comes again, and must not be known before.
        if entry["env"] not in histories or not was_complete(entry, states.get(entry["env"])):
            return
        histories[entry["env"]].add(entry)
        written[entry["env"], entry["at"]] = _content(entry)
        if len(written) > _COMPARED:
            del written[next(iter(written))]

    async for record in reader.read(place):
        reading.take(record, take)
    reading.refuse()
    return written
