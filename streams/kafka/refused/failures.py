"""Why does the broker not take a record (is it away, held up, or does it refuse), and what can be done about it?"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from aiokafka import errors

__all__ = ["Failure", "Kind", "failure_of", "is_too_large"]


class Kind(Enum):
    """How a write has failed.

    Attributes:
        AWAY: no broker answers; whoever watches the broker says so.
        HELD: the broker answers and does not take the record, for now.
        REFUSED: the broker answers that it does not take records of this topic.
    """

    AWAY = "away"
    HELD = "held"
    REFUSED = "refused"


class Failure(NamedTuple):
    """A failed write.

    Attributes:
        kind: how it has failed.
        sentence: which topic takes no records, and why.
        remedy: what to do.
    """

    kind: Kind
    sentence: str
    remedy: str


_AWAY = (
    OSError,
    errors.KafkaConnectionError,
    errors.KafkaUnavailableError,
    errors.NodeNotReadyError,
    errors.NoBrokersAvailable,
    errors.MetadataEmptyBrokerList,
    errors.AuthenticationFailedError,
    errors.SaslAuthenticationFailed,
)
_TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError, errors.RecordTooLargeError)
_NO_LEADER = (
    errors.LeaderNotAvailableError,
    errors.NotLeaderForPartitionError,
    errors.ReplicaNotAvailableError,
)
_SLOW = (errors.RequestTimedOutError, errors.KafkaTimeoutError)


def is_too_large(error: BaseException) -> bool:
    """Whether the broker, or the client, refuses a record for its size: it will refuse that record for ever."""
    return isinstance(error, _TOO_LARGE)


def failure_of(error: BaseException, topic: str) -> Failure:
    """What a failed write to a topic means."""
    if isinstance(error, _AWAY):
        return Failure(Kind.AWAY, f"no broker takes records of topic {topic}", "")
    if isinstance(error, errors.TopicAuthorizationFailedError | errors.ClusterAuthorizationFailedError):
        return Failure(
            Kind.REFUSED,
            f"Kafka refuses records on topic {topic}: this user is not authorized to write there",
            f"kafka-acls.sh --bootstrap-server BROKER --add --allow-principal User:NAME "
            f"--operation Write --operation Describe --topic {topic}",
        )
    if isinstance(error, errors.NotEnoughReplicasError | errors.NotEnoughReplicasAfterAppendError):
        return Failure(
            Kind.REFUSED,
            f"Kafka refuses records on topic {topic}: fewer replicas are in sync than min.insync.replicas asks for",
            "bring the missing brokers back (kafka-topics.sh --describe --under-min-isr-partitions names the "
            f"partitions), or lower min.insync.replicas of {topic}",
        )
    if isinstance(error, errors.KafkaStorageError):
        return Failure(
            Kind.REFUSED,
            f"Kafka cannot store records of topic {topic}: a disk of a broker is full or broken",
            "free space on the disk that the broker's log names, and start that broker again",
        )
    if is_too_large(error):
        return Failure(
            Kind.REFUSED,
            f"topic {topic} takes no records of a common size",
            f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} "
            "--add-config max.message.bytes=1048588",
        )
    if isinstance(error, errors.UnknownTopicOrPartitionError | errors.InvalidTopicError):
        return Failure(
            Kind.REFUSED,
            f"topic {topic} does not exist",
            f"start a worker again, which creates what is missing, or: kafka-topics.sh --create --topic {topic}",
        )
    if isinstance(error, _NO_LEADER):
        return Failure(
            Kind.HELD,
            f"a partition of topic {topic} has no leader",
            "start the brokers that are down (kafka-topics.sh --describe --unavailable-partitions), "
            "or create the topic again if it has been deleted",
        )
    if isinstance(error, _SLOW):
        return Failure(
            Kind.HELD,
            f"records on topic {topic} are not acknowledged in time",
            "look at the load of the brokers",
        )
    said = getattr(error, "description", "") or str(error)
    kind = Kind.HELD if getattr(error, "retriable", False) else Kind.REFUSED
    return Failure(
        kind,
        f"Kafka refuses records on topic {topic}: {type(error).__name__} {said}".strip(),
        "look at the broker's log",
    )
