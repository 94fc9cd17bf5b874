"""Do other processes learn of what a worker says, soon after it changes and for as long as it lives?"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiokafka.errors import KafkaConnectionError

from streams.kafka.producer import ProducerRecord
from streams.records.progress import Spoken, spoken_in
from streams.worker.words import Words


class Told:
    """Words in a time that passes when they sleep, and what they have written."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.blind: frozenset[str] = frozenset()
        self.written: list[tuple[float, Spoken]] = []
        self.away = False
        self.words = Words(
            "worker 1",
            "watch-state",
            lambda: self.blind,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
        )
        self.changes: dict[float, frozenset[str]] = {}
        self.ends_at = 100.0

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.blind = self.changes.get(self.seconds, self.blind)
        if self.seconds >= self.ends_at:
            raise asyncio.CancelledError

    async def write(self, records: list[ProducerRecord], /, *, attempts: int) -> None:
        if self.away:
            raise KafkaConnectionError
        (record,) = records
        assert (record.topic, record.value, attempts) == ("watch-state", None, 1)
        spoken = spoken_in(record.key, record.headers)
        assert spoken is not None
        self.written.append((self.seconds, spoken))

    async def run(self) -> list[tuple[float, Spoken]]:
        with suppress(asyncio.CancelledError):
            await self.words.run(self.write)
        return self.written


def said(*blind: str, ended: bool = False) -> Spoken:
    return Spoken("worker 1", frozenset(blind), ended)


async def test_words_are_written_when_they_change_and_each_ten_seconds() -> None:
    told = Told()
    told.changes = {13.0: frozenset({"clock"}), 15.0: frozenset()}
    told.ends_at = 30.0
    assert await told.run() == [
        (0.0, said()),
        (10.0, said()),
        (13.0, said("clock")),
        (15.0, said()),
        (25.0, said()),
    ]


async def test_words_that_the_broker_does_not_take_are_written_anew_soon() -> None:
    told = Told()
    told.away = True
    told.ends_at = 5.0
    assert await told.run() == []
    told.away, told.ends_at = False, 8.0
    assert await told.run() == [(5.0, said())]


async def test_a_worker_that_ends_says_so_and_one_whose_pipeline_is_made_anew_does_not() -> None:
    told = Told()
    told.blind, told.ends_at = frozenset({"partition"}), 3.0
    await told.run()
    assert told.written == [(0.0, said("partition"))]
    told.words.last = True
    await told.run()
    assert told.written[-1] == (4.0, said("partition", ended=True))


async def test_a_worker_that_ends_does_not_wait_for_a_broker_that_takes_no_words() -> None:
    told = Told()
    told.away, told.words.last, told.ends_at = True, True, 3.0
    tried: list[int] = []

    async def write(records: list[ProducerRecord], /, *, attempts: int) -> None:
        tried.append(attempts)
        raise KafkaConnectionError

    with suppress(asyncio.CancelledError):
        await told.words.run(write)
    assert tried == [1, 1, 1]  # each second while it ran, and not at its end
