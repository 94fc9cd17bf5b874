"""How does `watchofficer produce` send files to a topic?"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Literal

from aiokafka.errors import KafkaError

from streams.cli.inputs.mapping import account_words, mapped_lines, mapping_of
from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import words_of
from streams.kafka.line_producer import Produced, TopicSink, produce
from streams.kafka.topics import Topics
from streams.mappings.mapping import RecordMapping
from streams.replay.files import open_lines
from streams.runtime.clocks import RealClock
from streams.settings.settings import Settings, SettingsError, read_settings

__all__ = ["produce_command"]

#: The instant (ms) to which the first event is moved.
Rebase = int | Literal["now"] | None


def produce_command(
    events: tuple[str, ...],
    *,
    speed: float | None,
    topic: str | None,
    rebase: Rebase,
    mapping_name: str | None,
) -> int:
    """Send the events and print their number; returns the exit status.

    Raises:
        SourceError: a file cannot be read.
    """
    try:
        settings = read_settings(os.environ)
        mapping = mapping_of(mapping_name, live=True) if mapping_name else None
        settings.kafka_client_kwargs()
        name = topic or Topics(settings.topic_prefix).login_events
        produced = asyncio.run(_produce(_lines(events, mapping), settings, name, speed, rebase))
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except (KafkaError, OSError) as error:
        print(f"the events are not sent: {words_of(error)}", file=sys.stderr)
        return 2
    said = f"{produced.sent:,} events onto {name}"
    if produced.malformed:
        said += f", {produced.malformed:,} of them without a readable occurred_at"
    if produced.too_large:
        said += f"; {produced.too_large:,} were too large to send"
    print(said, file=sys.stderr)
    if mapping is not None:
        print(account_words(mapping.name, mapping.account), file=sys.stderr)
    return 0


async def _produce(
    lines: Iterator[bytes], settings: Settings, topic: str, speed: float | None, rebase: Rebase
) -> Produced:
    clock = RealClock()
    async with TopicSink(topic, KafkaClients(settings.kafka_client_kwargs())) as sink:
        return await produce(lines, clock, sink, speed, rebase, sleep=clock.sleep)


def _lines(names: tuple[str, ...], mapping: RecordMapping | None) -> Iterator[bytes]:
    for name in names:
        with open_lines(name) as lines:
            yield from lines if mapping is None else mapped_lines(lines, mapping)
