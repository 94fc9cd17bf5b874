"""What do topics hold, as a plain consumer reads them, and which indicators must follow from the input's log?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.segments.codec import Resume, decode
from tests.support.oracle import Mark, judge
from tests.support.oracle import Record as Logged

__all__ = ["OnTopic", "expected_slis", "published_slis", "read"]


@dataclass(frozen=True)
class OnTopic:
    """One record."""

    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: bytes | None
    headers: dict[str, bytes]

    def json(self) -> Any:
        """The value, decoded."""
        assert self.value is not None
        return json.loads(self.value)


async def read(address: str, topic: str) -> list[OnTopic]:
    """Return all records on a topic, and perhaps some that arrived meanwhile, by partition and offset."""
    found: list[OnTopic] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        places = sorted(consumer.assignment())
        # (of a last batch of several records the embedded broker counts the first alone)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning()
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200, max_records=20_000)).values():
                found += [
                    OnTopic(
                        record.partition,
                        record.offset,
                        record.timestamp,
                        None if record.key is None else record.key.decode(),
                        record.value,
                        dict(record.headers),
                    )
                    for record in batch
                ]
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def published_slis(address: str, prefix: str) -> list[dict[str, Any]]:
    """Return the objects of the topic ``sli``, in the order of T, scope and window; each once.

    Raises:
        AssertionError: different values were published for one T, scope and window.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in await read(address, f"{prefix}sli"):
        value = record.json()
        place = (value["at"], value["scope"], value["window"])
        assert record.key == f"{value['scope']}|{value['window']}"
        assert found.setdefault(place, value) == value, "published twice, with different values"
    return sorted(found.values(), key=_place)


async def expected_slis(address: str, prefix: str, sli_every: int) -> list[dict[str, Any]]:
    """Return the oracle's indicators for the topic ``login-events`` with the marks that ingest has written."""
    partitions: dict[int, list[Logged]] = {}
    for record in await read(address, f"{prefix}login-events"):
        partitions.setdefault(record.partition, []).append((record.value, record.timestamp))
    marks: dict[int, Sequence[Mark]] = {}
    for record in await read(address, f"{prefix}ingest-state"):
        assert record.value is not None
        resume = decode(record.value)
        if isinstance(resume, Resume) and resume.mark is not None:
            marks[int(resume.partition)] = [
                *marks.get(int(resume.partition), ()),
                (resume.start, resume.mark),
            ]
    numbers = {"sli_every": sli_every}
    logs = [partitions.get(number, []) for number in range(max(partitions, default=-1) + 1)]
    return sorted(judge(logs, numbers, marks).slis, key=_place)


def _place(value: dict[str, Any]) -> tuple[str, str, int]:
    return value["at"], value["scope"], ("5m", "15m", "1h").index(value["window"])
