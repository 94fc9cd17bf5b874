"""`topic:NAME[@FROM..TO]` as an input of `replay`: the records of a topic, with the marks that live judged by.

FROM and TO are RFC 3339 instants of the broker's timestamps; without them it is all that the topic holds.
"""

from __future__ import annotations

import asyncio
import os

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from detectors.instants import parse_instant
from streams.ownership import Ownership
from streams.reader import Reader, opened
from streams.segments import FormatError, Frontier, decode
from streams.settings import Settings, SettingsError, read_settings
from streams.sources import Mark, SourceError, Spool
from streams.topics import Topics

__all__ = ["read_marks", "read_topic"]


def read_topic(name: str) -> dict[tuple[str, int], Spool]:
    """Read a topic of ``WATCHOFFICER_BROKER`` to where it ends now; its partitions.

    Args:
        name: ``NAME`` or ``NAME@FROM..TO``, either end may be left out.

    Raises:
        SourceError: it cannot be read.
    """
    topic, _, span = name.partition("@")
    begin, _, end = span.partition("..")
    try:
        since = parse_instant(begin) if begin else None
        until = parse_instant(end) if end else None
    except ValueError as error:
        raise SourceError(f"topic:{name}: {error}") from None
    try:
        settings = read_settings(os.environ)
        return asyncio.run(_read(settings, topic, since, until))
    except (SettingsError, KafkaError, OSError) as error:
        raise SourceError(f"topic:{topic}: {error}") from None


async def _read(
    settings: Settings, topic: str, since: int | None, until: int | None
) -> dict[tuple[str, int], Spool]:
    kafka = settings.kafka_client_kwargs()
    reader = Reader(kafka)
    async with opened(kafka) as consumer:
        ids = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic)
    if not ids:
        raise SourceError(f"topic:{topic}: there is no such topic at {','.join(settings.broker)}")
    marks = await read_marks(reader, Topics(settings.topic_prefix)) if topic.endswith("login-events") else {}
    out: dict[tuple[str, int], Spool] = {}
    for partition in sorted(ids):
        spool = out[topic, partition] = Spool()
        before = list(marks.get(partition, ()))
        async for record in reader.read(TopicPartition(topic, partition), since=since):
            if until is not None and record.timestamp >= until:
                break
            while before and before[0][0] <= record.offset:
                spool.append(before.pop(0)[1])
            spool.append((record.timestamp, record.value))
        for _, mark in before:
            spool.append(mark)
    return out


async def read_marks(reader: Reader, topics: Topics) -> dict[int, list[tuple[int, Mark]]]:
    """The marks of each input partition, each with the offset that it stands before, in the order in which they act."""
    out: dict[int, set[tuple[int, Mark]]] = {}
    owners = Ownership()
    async for record in reader.read(TopicPartition(topics.segments, 0)):
        if record.value is None:
            continue
        try:
            frontier = decode(record.value)
        except FormatError as error:
            raise SourceError(str(error)) from None
        if not isinstance(frontier, Frontier) or not owners.frontier(frontier)[0]:
            continue
        if frontier.marked and frontier.watermark is not None:
            mark = Mark(frontier.watermark, frontier.blind_from)
            out.setdefault(frontier.partition, set()).add((frontier.next_offset, mark))
    return {p: sorted(found, key=lambda one: (one[0], one[1].watermark)) for p, found in out.items()}
