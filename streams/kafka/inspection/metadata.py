"""Which topics are there, with how many partitions, and what may this client do with each?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, UnknownTopicOrPartitionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

__all__ = ["MetadataRequest", "partition_counts"]

_ANSWER_MS = 8_000  # for the answer


async def partition_counts(kafka: Mapping[str, Any], names: Collection[str]) -> dict[str, int]:
    """The number of partitions of topics, 0 where there is no such topic; without those of which nothing is told.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        names: of the topics.

    Raises:
        KafkaError, OSError: the broker does not answer.
    """
    client = AIOKafkaClient(**kafka, request_timeout_ms=_ANSWER_MS)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), MetadataRequest(sorted(names)))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {}
    finally:
        await client.close()
    told = {0, UnknownTopicOrPartitionError.errno}
    return {name: len(partitions) for code, name, _, partitions, _ in answer.topics if code in told}


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("authorized_operations", Int32),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    """Asks for topics with what this client may do with each; aiokafka's own request is of an older version."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class(self._topics, False, False, True)
