"""The topics: their names, the settings they are created with, and the check of what a broker has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from detectors.instants import DAY, HOUR, MINUTE
from detectors.scopes import ENVS

__all__ = ["PARTITIONS", "TopicProblem", "Topics", "check_clock", "create_missing", "env_partition"]

#: of the topics that are created here
PARTITIONS = 4


def env_partition(env: str, partitions: int) -> int:
    """The partition of the internal topics that holds an environment's records."""
    return ENVS.index(env) % partitions


@dataclass(frozen=True)
class Topics:
    """The names of all topics, with the deployment's prefix."""

    prefix: str = ""

    def __getattr__(self, name: str) -> str:
        try:
            return self.prefix + _NAMES[name]
        except KeyError:
            raise AttributeError(name) from None

    def all(self) -> dict[str, dict[str, str]]:
        """Name -> the settings it is created with."""
        return {self.prefix + _NAMES[key]: dict(_CONFIGS[key]) for key in _NAMES}


_NAMES = {
    "login_events": "login-events",
    "rejected": "login-events.rejected",
    "segments": "sli-segments",
    "ingest_state": "ingest-state",
    "history": "sli-history",
    "watch_state": "watch-state",
    "sli": "sli",
    "incidents": "incidents",
    "incident_log": "incident-log",
    "commands": "incident-commands",
    "dead": "incident-commands.dead",
    "deliveries": "incident-deliveries",
    "banner": "banner-state",
    "inputs": "incident-inputs",
}

_COMPACT = {"cleanup.policy": "compact"}


def _keep(millis: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(millis)}


_CONFIGS: dict[str, dict[str, str]] = {
    "login_events": {**_keep(7 * DAY), "message.timestamp.type": "LogAppendTime"},
    "rejected": _keep(7 * DAY),
    # What counted at the last T is read back on a start, two hours and a quarter before it; beyond that the watch may
    # have been down for some hours. The broker may clean what is older.
    "segments": {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(6 * HOUR),
        "segment.ms": str(10 * MINUTE),
        "min.cleanable.dirty.ratio": "0.2",
        # A new owner has written again by then what it has taken over half done.
        "min.compaction.lag.ms": str(10 * MINUTE),
    },
    "ingest_state": _COMPACT,
    "history": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    # States stay for as long as the marks do, so that a replay can go on from one in the middle.
    "watch_state": {**_COMPACT, "min.compaction.lag.ms": str(6 * HOUR)},
    "sli": _keep(7 * DAY),
    "incidents": _COMPACT,
    "incident_log": _keep(400 * DAY),
    "commands": _keep(7 * DAY),
    "dead": _keep(35 * DAY),
    "deliveries": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    "banner": _COMPACT,
    "inputs": _keep(35 * DAY),
}


class TopicProblem(Exception):
    """A topic that is not as it must be. The message says what to do."""


async def create_missing(
    topics: Topics, kafka: dict[str, Any], *, input_partitions: int = PARTITIONS
) -> list[str]:
    """Create the topics that do not exist.

    Args:
        topics: their names.
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        input_partitions: of ``login-events``, if it has to be created.

    Returns:
        the names of those that were created.

    Raises:
        TopicProblem: some may not be created by this user; all of them are named, with their settings.
    """
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        replicas = min(3, len((await admin.describe_cluster())["brokers"]))
        wanted = topics.all()
        if topics.login_events in present:
            input_partitions = await _partitions(admin, topics.login_events)
        created: list[str] = []
        refused: list[str] = []
        for name, configs in wanted.items():
            if name in present:
                continue
            count = input_partitions if name in (topics.login_events, topics.ingest_state) else PARTITIONS
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
                settings = " ".join(f"--config {key}={value}" for key, value in configs.items())
                refused.append(
                    f"kafka-topics.sh --create --topic {name} --partitions {count} "
                    f"--replication-factor {replicas} {settings}   # {type(error).__name__}"
                )
            else:
                created.append(name)
        if refused:
            raise TopicProblem(
                "these topics are missing and this user may not create them:\n" + "\n".join(refused)
            )
        return created
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> int:
    described = await admin.describe_topics([topic])
    return len(described[0]["partitions"])


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
