"""How does `replay` read `topic:NAME[@FROM..TO]`? The records of a topic, with the marks that the live worker used.

FROM and TO are RFC 3339 instants of the broker's timestamps; without them the whole topic is read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from detectors.instants import parse_instant
from streams.evaluate.ownership.claims import CLAIM_KEY, StateLog, decode_claim
from streams.evaluate.shard_state import decode_state, was_complete
from streams.kafka.clients import ClientFactory, KafkaClients, started
from streams.kafka.diagnosis import words_of
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Begin, Mark, SourceError, Spool
from streams.segments.codec import FormatError, Frontier, decode
from streams.segments.fencing import Fencing
from streams.segments.input_partition import LOGIN_EVENTS, InputPartition, input_partition
from streams.settings.settings import Settings, SettingsError, read_settings

__all__ = ["checkpoint_at", "read_checkpoint", "read_marks", "read_topic", "span_of"]


def span_of(name: str) -> tuple[str, int | None, int | None]:
    """Return the topic, FROM and TO (ms) of ``NAME@FROM..TO``; an end that is left out is None.

    Raises:
        SourceError: FROM or TO is no instant.
    """
    topic, _, span = name.partition("@")
    begin, _, end = span.partition("..")
    try:
        return topic, parse_instant(begin) if begin else None, parse_instant(end) if end else None
    except ValueError as error:
        raise SourceError(f"topic:{name}: {words_of(error)}") from None


def read_topic(name: str, back: int = 0) -> dict[tuple[str, int], Spool]:
    """Read a topic of ``WATCHOFFICER_BROKER`` up to its present end; return its partitions.

    Args:
        name: ``NAME`` or ``NAME@FROM..TO``.
        back: how long before FROM to begin, ms; if above 0, a ``Begin`` marks the position of FROM.

    Raises:
        SourceError: the topic cannot be read.
    """
    topic, since, until = span_of(name)
    try:
        settings = read_settings(os.environ)
        return asyncio.run(_read(settings, topic, since, until, back))
    except (SettingsError, KafkaError, OSError) as error:
        raise SourceError(f"topic:{topic}: {words_of(error)}") from None


def read_checkpoint(name: str) -> Checkpoint | None:
    """Read the state before the FROM of ``NAME@FROM..TO`` from `watch-state` and `sli-history`; None without FROM.

    Raises:
        SourceError: the topics cannot be read.
    """
    _, since, _ = span_of(name)
    if since is None:
        return None
    try:
        settings = read_settings(os.environ)
        return asyncio.run(
            _read_checkpoint(
                KafkaClients(settings.kafka_client_kwargs()), Topics(settings.topic_prefix), since
            )
        )
    except (SettingsError, FormatError, KafkaError, OSError) as error:
        raise SourceError(f"topic:{name}: {words_of(error)}") from None


async def _read(
    settings: Settings, topic: str, since: int | None, until: int | None, back: int
) -> dict[tuple[str, int], Spool]:
    clients = KafkaClients(settings.kafka_client_kwargs())
    reader = TopicReader(clients)
    async with started(clients.reader()) as consumer:
        ids = (await consumer.partition_ids(topic))[topic]
    if not ids:
        raise SourceError(f"topic:{topic}: there is no such topic at {','.join(settings.broker)}")
    marks = await _marks_there_are(reader, clients, Topics(settings.topic_prefix))
    name = LOGIN_EVENTS if topic.endswith(LOGIN_EVENTS) else topic
    out: dict[tuple[str, int], Spool] = {}
    for partition in sorted(ids):
        spool = out[topic, partition] = Spool()
        words = f"{topic}/{partition}, offset {{}}".format
        before = list(marks.get(input_partition(name, partition), ()))
        begun = since is None or not back
        first = None if since is None else since - back
        async for record in reader.read(TopicPartition(topic, partition), since=first):
            if until is not None and record.timestamp >= until:
                break
            if not begun and since is not None and record.timestamp >= since:
                spool.append(Begin())
                begun = True
            while before and before[0][0] <= record.offset:
                spool.append(before.pop(0)[1])
            spool.append((record.timestamp, record.value), record.offset)
            spool.places.note(record.offset, words)
        if not begun:
            spool.append(Begin())
        for _, mark in before:
            spool.append(mark)
    return out


async def _marks_there_are(
    reader: TopicReader, clients: ClientFactory, topics: Topics
) -> dict[InputPartition, list[tuple[int, Mark]]]:
    """Read the marks, unless no worker has ever run at this cluster."""
    async with started(clients.reader()) as consumer:
        ids = await consumer.partition_ids(topics.segments)
    return await read_marks(reader, topics) if ids[topics.segments] else {}


async def read_marks(reader: TopicReader, topics: Topics) -> dict[InputPartition, list[tuple[int, Mark]]]:
    """Read the marks of each input partition, each with the offset before which it holds, in order of effect."""
    out: dict[InputPartition, set[tuple[int, Mark]]] = {}
    fencing = Fencing()
    async for record in reader.read(TopicPartition(topics.segments, 0)):
        if record.value is None:
            continue
        try:
            frontier = decode(record.value)
        except FormatError as error:
            raise SourceError(str(error)) from None
        if not isinstance(frontier, Frontier) or not fencing.frontier(frontier)[0]:
            continue
        if frontier.marked and frontier.watermark is not None:
            mark = Mark(frontier.watermark, frontier.blind_from)
            out.setdefault(frontier.partition, set()).add((frontier.next_offset, mark))
    return {partition: sorted(found, key=_in_effect) for partition, found in out.items()}


def _in_effect(standing: tuple[int, Mark]) -> tuple[int, int, bool]:
    """Return the sort key of a mark; of equal marks a blind one comes first, as a new owner may have repeated it."""
    offset, mark = standing
    return offset, mark.watermark, mark.blind_from is None


async def _read_checkpoint(clients: ClientFactory, topics: Topics, since: int) -> Checkpoint:
    async with started(clients.reader()) as consumer:
        ids = await consumer.partition_ids(topics.watch_state, topics.history)
    states, histories = (
        [TopicPartition(name, number) for number in sorted(ids[name])]
        for name in (topics.watch_state, topics.history)
    )
    return await checkpoint_at(TopicReader(clients), states, histories, since)


async def checkpoint_at(
    reader: TopicReader, states: Sequence[TopicPartition], histories: Sequence[TopicPartition], since: int
) -> Checkpoint:
    """Read the state before an instant (ms) from partitions of `watch-state` and of `sli-history`."""
    out = Checkpoint(since)
    for place in states:
        found = StateLog()
        async for record in reader.read(place):
            if record.key is None or record.value is None:
                continue
            if record.key == CLAIM_KEY:
                found.claimed(decode_claim(record.value))
                continue
            env, state = record.key.decode(), decode_state(record.value)
            reached = state.engine.evaluated_to
            if reached is not None and reached <= since:
                found.written(env, state)
        out.states.update(found.states())
    for place in histories:
        async for record in reader.read(place):
            entry = _history_entry(record.value)
            known = None if entry is None else out.states.get(entry["env"])
            if entry is not None and known is not None and was_complete(entry, known):
                out.history.append(entry)
    return out


def _history_entry(value: bytes | None) -> dict[str, Any] | None:
    """Return a record of `sli-history`; None where none can be read, which a worker passes by too."""
    try:
        entry = None if value is None else msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return entry if isinstance(entry, dict) and {"env", "at"} <= entry.keys() else None
