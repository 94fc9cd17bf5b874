"""From where does `replay --policies` read which policy judged which T? From the topic `policy`, or a dump of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import words_of
from streams.kafka.topic_reader import TopicReader
from streams.records.policies import PolicySchedule, decode_policy
from streams.replay.entries import SourceError
from streams.replay.files import open_lines
from streams.segments.codec import FormatError
from streams.settings.settings import SettingsError, read_settings

__all__ = ["read_policies"]

_TOPIC = "topic:"


class _Line(NamedTuple):
    """A record: its value, its key, when the broker took it (ms; None: not known), and its place in words."""

    value: bytes | None
    key: bytes
    stamp: int | None
    place: str


def read_policies(name: str) -> PolicySchedule:
    """Read which policy judges which T.

    Args:
        name: ``topic:NAME`` of ``WATCHOFFICER_BROKER``, or a file whose lines are the records' values or lines of
            ``kcat -J``.

    Raises:
        SourceError: it cannot be read, or holds no policy.
    """
    schedule = PolicySchedule()
    for line in _of_topic(name.removeprefix(_TOPIC)) if name.startswith(_TOPIC) else _of_file(name):
        if line.value is None:
            schedule.drop(line.key)
            continue
        try:
            schedule.take(decode_policy(line.value), line.stamp)
        except (ValueError, FormatError) as error:
            raise SourceError(f"{line.place}: not a record of policy: {error}") from None
    if schedule.last is None:
        raise SourceError(f"{name}: holds no policy")
    return schedule


def _of_topic(topic: str) -> list[_Line]:
    async def read() -> list[_Line]:
        reader = TopicReader(KafkaClients(read_settings(os.environ).kafka_client_kwargs()))
        return [
            _Line(one.value, one.key or b"", one.timestamp, f"{topic}, offset {one.offset}")
            async for one in reader.read(TopicPartition(topic, 0))
        ]

    try:
        return asyncio.run(read())
    except (SettingsError, KafkaError, OSError) as error:
        raise SourceError(f"{_TOPIC}{topic}: {words_of(error)}") from None


def _of_file(name: str) -> Iterator[_Line]:
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            place = f"{name}:{number}"
            try:
                found: Any = json.loads(line)
            except ValueError as error:
                raise SourceError(f"{place}: not a record of policy: {error}") from None
            if isinstance(found, dict) and "payload" in found:
                payload, stamp = found["payload"], found.get("ts")
                value = payload.encode() if isinstance(payload, str) else None
                yield _Line(
                    value,
                    str(found.get("key") or "").encode(),
                    stamp if isinstance(stamp, int) else None,
                    place,
                )
            else:
                yield _Line(line, b"", None, place)
