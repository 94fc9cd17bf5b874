"""Sets quotas of Apache Kafka, which no client for Python does."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from streams.kafka.inspection.quotas import Entity

__all__ = ["set_quotas"]

_ENTITY = Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))


async def set_quotas(address: str, entity: Entity, values: Mapping[str, float | None]) -> None:
    """Set quotas of an entity as a super user; None takes one away."""
    client = AIOKafkaClient(bootstrap_servers=address)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), _Request(entity, values))
    finally:
        await client.close()
    assert [code for code, *_ in answer.entries] == [0], answer


class _Response(Response):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(("error_code", Int16), ("error_message", String("utf-8")), ("entity", _ENTITY)),
        ),
    )


class _RequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _Request(Request[_RequestStruct]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, entity: Entity, values: Mapping[str, float | None]) -> None:
        self._entity = list(entity.items())
        self._operations = [(key, value or 0.0, value is None) for key, value in values.items()]

    def build(self, request_struct_class: type[_RequestStruct]) -> _RequestStruct:
        return request_struct_class([(self._entity, self._operations)], False)
