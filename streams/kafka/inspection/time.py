"""What time is it for the broker? Heard in what others write, as nothing is written here."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from streams.kafka.clients import ClientFactory, started
from streams.runtime.broker_clock import BrokerClock

__all__ = ["HeardTime", "hear_time"]

_LOG_APPEND_TIME = 1
_POLL_MS = 200


class HeardTime(NamedTuple):
    """The clock of this machine beside the broker's.

    Attributes:
        ahead: how far it is ahead of the broker's at least, ms; negative: behind it; 0 where it may be right; None
            where no record came that has the broker's time.
        records: whether any record came.
    """

    ahead: int | None
    records: bool


async def hear_time(
    clients: ClientFactory, topics: tuple[str, ...], clock: Callable[[], int], seconds: float
) -> HeardTime:
    """Read what is written from now on, until the broker's time is known from both sides.

    Args:
        clients: makes the consumer.
        topics: those that are read; they exist.
        clock: the clock of this machine, ms since the epoch.
        seconds: for how long records are awaited.

    Raises:
        KafkaError, OSError: the topics cannot be read.
    """
    time, records = BrokerClock(clock, monotonic), False
    async with started(clients.tail(*topics)) as consumer:
        began = monotonic()
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
        for place, end in ends.items():
            consumer.seek(place, end)
        while ends and time.ahead is None and monotonic() - began < seconds:
            for place, batch in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                new = [record for record in batch if record.offset >= ends.get(place, 0)]
                records = records or bool(new)
                for record in new:
                    if record.timestamp_type == _LOG_APPEND_TIME:
                        time.note(record.timestamp, after=began)
    return HeardTime(time.ahead, records)
