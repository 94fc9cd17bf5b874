"""Which quotas of Kafka hold for this process? A broker delays its answers to who exceeds one, without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import ClusterAuthorizationFailedError, IncompatibleBrokerVersion, KafkaError, for_code
from aiokafka.protocol.admin import DescribeClientQuotasRequest

from streams.kafka.clients import KafkaClients, started

__all__ = ["Entity", "Quota", "events_a_second", "in_force", "quotas_of"]

_ANSWER_MS = 8_000  # for each answer
_SPAN = 300  # seconds, over which events are counted
#: How the ids begin with which aiokafka and Faust name their connections.
_CLIENT_IDS = ("aiokafka-", "faust-")
_USER, _CLIENT = "user", "client-id"
_NAMED, _DEFAULT, _ABSENT = range(3)

#: Kind of an entity (user, client-id) -> its name; None for all that have no quota of their own.
Entity = Mapping[str, str | None]


class Quota(NamedTuple):
    """A limit that each broker holds this process to by itself.

    Attributes:
        key: in Kafka's words: consumer_byte_rate and producer_byte_rate (bytes a second), request_percentage.
        value: the limit.
        entity: whom it is for.
    """

    key: str
    value: float
    entity: Entity

    @property
    def whose(self) -> str:
        """Whom it is for, in words: "user watch", "all users, client-id aiokafka-1"."""
        return ", ".join(
            f"all {kind}s" if name is None else f"{kind} {name}" for kind, name in self.entity.items()
        )

    @property
    def options(self) -> str:
        """The entity as options of ``kafka-configs.sh``."""
        return " ".join(
            f"--entity-type {kind.removesuffix('-id')}s "
            + ("--entity-default" if name is None else f"--entity-name {name}")
            for kind, name in self.entity.items()
        )


async def quotas_of(kafka: Mapping[str, Any], user: str | None) -> list[Quota] | None:
    """The quotas that hold for a process; None where this user may not see them.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        user: the name with which the process enters; None where only the broker knows it, as with mTLS.

    Raises:
        IncompatibleBrokerVersion: the broker does not tell of quotas.
        KafkaError, OSError: it does not answer, or not well.
    """
    client = AIOKafkaClient(**kafka, request_timeout_ms=_ANSWER_MS)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), DescribeClientQuotasRequest([], False))
    except NotImplementedError as error:
        raise IncompatibleBrokerVersion(str(error)) from error
    finally:
        await client.close()
    if answer.error_code == ClusterAuthorizationFailedError.errno:
        return None
    if answer.error_code:
        failure: KafkaError = for_code(answer.error_code)(answer.error_message)
        raise failure
    entries = [(dict(entity), dict(values)) for entity, values in answer.entries]
    return in_force(entries, user)


def in_force(entries: Iterable[tuple[Entity, Mapping[str, float]]], user: str | None) -> list[Quota]:
    """The quota of each key that holds: that of the most specific entity, as Kafka ranks them.

    Args:
        entries: entities with their quotas, key -> value.
        user: the name with which the process enters; None where nobody knows it.
    """
    found: dict[str, tuple[tuple[int, int], Quota]] = {}
    for entity, values in entries:
        rank = _rank(entity, user)
        for key, value in values.items() if rank is not None else ():
            if rank is not None and (key not in found or rank < found[key][0]):
                found[key] = rank, Quota(key, value, entity)
    return [quota for _, (_, quota) in sorted(found.items())]


def _rank(entity: Entity, user: str | None) -> tuple[int, int] | None:
    """How specific an entity is, the most specific first; None where this process is not of it."""
    if not entity.keys() <= {_USER, _CLIENT} or not entity:
        return None
    of_user, of_client = _ABSENT, _ABSENT
    if _USER in entity:
        name = entity[_USER]
        if name is not None and name != user:
            return None
        of_user = _DEFAULT if name is None else _NAMED
    if _CLIENT in entity:
        name = entity[_CLIENT]
        if name is not None and not name.startswith(_CLIENT_IDS):
            return None
        of_client = _DEFAULT if name is None else _NAMED
    return of_user, of_client


async def events_a_second(kafka: Mapping[str, Any], topics: Sequence[str], now: int) -> float:
    """How many records a second came on topics that exist, over the last five minutes.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: their names; this user may read them.
        now: ms since the epoch.

    Raises:
        KafkaError, OSError: the topics cannot be read.
    """
    if not topics:
        return 0.0
    async with started(KafkaClients(kafka).tail(*topics)) as consumer:
        places = sorted(consumer.assignment())
        ends = await consumer.end_offsets(places)
        began = await consumer.offsets_for_times(dict.fromkeys(places, now - _SPAN * 1_000))
    firsts = {place: ends[place] if at is None else at.offset for place, at in began.items()}
    return sum(ends[place] - firsts[place] for place in places) / _SPAN
