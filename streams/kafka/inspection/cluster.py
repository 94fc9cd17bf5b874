"""What does a cluster say of itself: how many brokers, which release, which topics with which settings?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import ApiVersionRequest

__all__ = ["Cluster", "TopicState", "look_at_cluster"]

_ANSWER_MS = 8_000  # for each answer
_FETCH = 1  # the number of Kafka's request Fetch
#: The newest version of Fetch that a broker takes -> the release that brought it.
_RELEASES = {11: "2.3", 12: "2.7", 13: "3.1", 14: "3.5", 15: "3.5", 16: "3.7", 17: "3.9", 18: "4.1"}


class TopicState(NamedTuple):
    """A topic that exists.

    Attributes:
        partitions: their number.
        replicas: of the partition that has the fewest.
        leaderless: partitions without a leader: nobody can read or write them.
        lagging: partitions of which a replica is not in sync.
        settings: as strings, by name; None where this user may not see them.
    """

    partitions: int
    replicas: int
    leaderless: int
    lagging: int
    settings: Mapping[str, str] | None


class Cluster(NamedTuple):
    """A cluster, as it is now.

    Attributes:
        brokers: their number.
        release: the release of Kafka whose protocol the broker speaks, "3.9" or "older than 2.3"; a newer release may
            speak the same.
        topics: those that were asked for and exist, by name.
    """

    brokers: int
    release: str
    topics: Mapping[str, TopicState]


async def look_at_cluster(kafka: Mapping[str, Any], names: Collection[str]) -> Cluster:
    """Ask a cluster for what it says of itself; nothing is changed.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        names: of the topics.

    Raises:
        KafkaError, OSError: the broker does not answer.
    """
    release = await _release(kafka)
    admin = AIOKafkaAdminClient(**kafka, request_timeout_ms=_ANSWER_MS)
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        present = sorted(set(await admin.list_topics()) & set(names))
        described = await admin.describe_topics(present) if present else []
        settings = await _settings(admin, present)
    finally:
        await admin.close()
    topics = {one["topic"]: _state(one["partitions"], settings.get(one["topic"])) for one in described}
    return Cluster(brokers, release, topics)


async def _release(kafka: Mapping[str, Any]) -> str:
    client = AIOKafkaClient(**kafka, request_timeout_ms=_ANSWER_MS)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), ApiVersionRequest())
    finally:
        await client.close()
    newest = max((most for key, _, most in answer.api_versions if key == _FETCH), default=0)
    known = [version for version in _RELEASES if version <= newest]
    return _RELEASES[max(known)] if known else f"older than {min(_RELEASES.values())}"


async def _settings(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Name of a topic -> its settings; without those that this user may not see."""
    found: dict[str, dict[str, str]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await admin.describe_configs(resources) if resources else ():
        for code, _, _, name, entries, *_ in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


def _state(partitions: Collection[Mapping[str, Any]], settings: Mapping[str, str] | None) -> TopicState:
    return TopicState(
        partitions=len(partitions),
        replicas=min((len(one["replicas"]) for one in partitions), default=0),
        leaderless=sum(one["leader"] < 0 for one in partitions),
        lagging=sum(len(one["isr"]) < len(one["replicas"]) for one in partitions),
        settings=settings,
    )
