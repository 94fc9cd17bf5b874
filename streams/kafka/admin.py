"""Do the topics exist, and are they set up as they must be?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    for_code,
)

from detectors.errors import WatchofficerError
from streams.kafka.topics import PARTITIONS, Topics

__all__ = [
    "TopicProblem",
    "addressed_partitions",
    "check_clock",
    "check_inputs",
    "create_missing",
    "creation_command",
]

#: Topics that were created a moment ago are looked for so often, so many seconds apart.
_LOOKS, _LOOK_EVERY = 50, 0.1
#: Answers of a broker that say nothing of a topic or a right, beside those that aiokafka calls retriable.
_ASK_AGAIN = (RequestTimedOutError, KafkaTimeoutError)


class TopicProblem(WatchofficerError):
    """A topic that is not as it must be. The message says what to do."""


async def create_missing(
    topics: Topics, kafka: dict[str, Any], *, input_partitions: int = PARTITIONS
) -> list[str]:
    """Create the topics that do not exist.

    Args:
        topics: the names of the topics.
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        input_partitions: how many partitions ``login-events`` gets, if the topic has to be created.

    Returns:
        the names of the topics that were created.

    Raises:
        TopicProblem: this user may not create some of the topics; the message names each with its settings. Or those
            that exist already have different numbers of partitions.
        KafkaError: the broker does not answer, or cannot create topics now.
    """
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        replicas = min(3, len((await admin.describe_cluster())["brokers"]))
        wanted = topics.all()
        if topics.login_events in present:
            input_partitions = (await _partitions(admin, [topics.login_events]))[topics.login_events]
        addressed = _common(
            await _partitions(admin, [name for name in topics.addressed() if name in present])
        )
        created: list[str] = []
        refused: list[str] = []
        for name, configs in wanted.items():
            if name in present:
                continue
            count = input_partitions if name in (topics.login_events, topics.ingest_state) else addressed
            try:
                answer = await admin.create_topics(
                    [NewTopic(name, count, replicas, topic_configs=configs)], timeout_ms=30_000
                )
                for _, code, *_rest in answer.topic_errors:
                    if code:
                        raise for_code(code)()
            except TopicAlreadyExistsError:
                continue
            except KafkaError as error:
                if error.retriable or isinstance(error, _ASK_AGAIN):
                    raise
                command = creation_command(name, count, replicas, configs)
                refused.append(f"{command}   # {type(error).__name__}")
            else:
                created.append(name)
        if refused:
            raise TopicProblem(
                "these topics are missing and this user may not create them:\n" + "\n".join(refused)
            )
        return created
    finally:
        await admin.close()


def creation_command(name: str, partitions: int, replicas: int, settings: Mapping[str, str]) -> str:
    """The command by which an administrator creates a topic, without the address of the broker.

    Args:
        name: of the topic.
        partitions, replicas: their numbers.
        settings: of the topic, by name.
    """
    configs = " ".join(f"--config {key}={value}" for key, value in settings.items())
    return (
        f"kafka-topics.sh --create --topic {name} --partitions {partitions} "
        f"--replication-factor {replicas} {configs}"
    )


async def addressed_partitions(topics: Topics, kafka: dict[str, Any]) -> int:
    """The number of partitions of the topics on which a record has a partition of its environment or incident.

    Raises:
        TopicProblem: they have different numbers of partitions.
    """
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        return _common(await _partitions(admin, topics.addressed()))
    finally:
        await admin.close()


async def check_inputs(names: Sequence[str], kafka: dict[str, Any]) -> None:
    """Refuse topics of producers that do not exist: this program does not make them.

    Raises:
        TopicProblem: some of the topics do not exist.
    """
    if not names:
        return
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        missing = sorted(set(names) - set(await admin.list_topics()))
    finally:
        await admin.close()
    if missing:
        raise TopicProblem(
            f"WATCHOFFICER_INPUTS names topics that do not exist: {', '.join(missing)}. "
            "Name the topic that the producer writes to as MAPPING=TOPIC, or create it"
        )


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """The number of partitions of topics that exist.

    Raises:
        LeaderNotAvailableError: topics that were created a moment ago are still not known to the broker that answers.
    """
    if not topics:
        return {}
    for _ in range(_LOOKS):
        described = await admin.describe_topics(list(topics))
        found = {one["topic"]: len(one["partitions"]) for one in described}
        if all(found.get(name) for name in topics):
            return found
        await asyncio.sleep(_LOOK_EVERY)
    raise LeaderNotAvailableError(", ".join(name for name in topics if not found.get(name)))


def _common(partitions: Mapping[str, int]) -> int:
    """The number of partitions that all these topics have; ``PARTITIONS`` where there are no topics.

    Raises:
        TopicProblem: they have different numbers.
    """
    numbers = sorted(set(partitions.values()))
    if len(numbers) <= 1:
        return numbers[0] if numbers else PARTITIONS
    found = ", ".join(f"{name} {number}" for name, number in sorted(partitions.items()))
    raise TopicProblem(
        f"these topics must have the same number of partitions, and have {found}: delete those without records that "
        "differ, and they are created anew; or give the deployment a new WATCHOFFICER_TOPIC_PREFIX"
    )


async def check_clock(topic: str, kafka: dict[str, Any], future_limit: int) -> None:
    """Refuse an input topic on which one producer's wrong clock could drag the watermark.

    Raises:
        TopicProblem: the topic has neither LogAppendTime nor a bound on timestamps from the future.
    """
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    configs: dict[str, str] = {}
    for answer in answers:
        for resource in answer.resources:
            for entry in resource[4]:
                configs[entry[0]] = entry[1]
    if configs.get("message.timestamp.type") == "LogAppendTime":
        return
    after = configs.get("message.timestamp.after.max.ms")
    if after is not None and after.lstrip("-").isdigit() and 0 <= int(after) <= future_limit:
        return
    raise TopicProblem(
        f"{topic}: records carry their producers' clocks, unchecked, so one wrong clock could stop the watch. Either\n"
        f"  kafka-configs.sh --alter --entity-type topics --entity-name {topic} "
        f"--add-config message.timestamp.type=LogAppendTime\n"
        f"or --add-config message.timestamp.after.max.ms={future_limit}, "
        "or start with --trust-producer-clocks if all their clocks are kept right."
    )
