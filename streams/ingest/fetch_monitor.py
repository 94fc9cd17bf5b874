"""For how long have fetches of an input partition gone unanswered?

The broker may answer while one of its partitions does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import TopicPartition

from streams.kafka.clients import Consumer

__all__ = ["FetchMonitor", "FetchStatus"]


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """What the fetches of one partition have said.

    Attributes:
        position: the offset before which all records have been handed out; None while the consumer has no position.
        stable: the last stable offset, as the last fetch said: before it every transaction has ended, and behind it
            the broker hands out nothing. None before the first fetch.
        end: the high watermark, as the last fetch said: the offset after the last record; None before the first fetch.
        answered: ms since a fetch of the partition was answered; None before the first.
        unanswered: ms for which no fetch of the partition was answered, though the broker took what was written.
    """

    position: int | None
    stable: int | None
    end: int | None
    answered: int | None
    unanswered: int

    @property
    def at_end(self) -> bool:
        """Whether everything that the broker hands out has been read."""
        return self.position is not None and self.stable is not None and self.position >= self.stable

    @property
    def held_back(self) -> bool:
        """Whether an open transaction keeps records back."""
        return self.stable is not None and self.end is not None and self.stable < self.end


class _Fetch(NamedTuple):
    """The last fetch of a partition that was answered: when by aiokafka's clock (ms) and by the monotonic one (s).

    ``seen_at``: when this was looked at last, seconds of the monotonic clock.
    """

    stamp: int
    answered_at: float
    seen_at: float


class FetchMonitor:
    """Notes when each partition of a worker was answered last.

    Args:
        monotonic: seconds that never go back. Only they measure; the clock may be set meanwhile.
        wall: ms since the epoch, the clock of aiokafka's fetcher.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._since: dict[TopicPartition, float] = {}
        self._fetches: dict[TopicPartition, _Fetch] = {}

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Watch exactly these partitions. One that was watched before keeps the time of its last answer."""
        now = self._monotonic()
        self._since = {partition: self._since.get(partition, now) for partition in partitions}
        self._fetches.clear()

    def answered(self, partition: TopicPartition) -> None:
        """Note that a fetch of the partition was answered now."""
        if partition in self._since:
            self._since[partition] = self._monotonic()

    def broker_was_away(self) -> None:
        """Begin all waits anew: while the whole broker was away, no single partition was to blame."""
        self._since = dict.fromkeys(self._since, self._monotonic())

    def status(self, partition: TopicPartition, consumer: Consumer) -> FetchStatus:
        """The status of a partition now.

        Args:
            partition: a partition that is assigned to the consumer.
            consumer: fetches the partition.
        """
        now = self._monotonic()
        since = self._since.setdefault(partition, now)
        fetch = self._last_fetch(partition, consumer.last_poll_timestamp(partition), now)
        answered = None
        if fetch is not None:
            answered = round(1_000 * (now - fetch.answered_at))
            since = self._since[partition] = max(since, fetch.answered_at)
        return FetchStatus(
            consumer.position_now(partition),
            consumer.last_stable_offset(partition),
            consumer.highwater(partition),
            answered,
            round(1_000 * (now - since)),
        )

    def _last_fetch(self, partition: TopicPartition, stamp: int | None, now: float) -> _Fetch | None:
        """The last fetch of a partition that was answered; None before the first.

        Args:
            stamp: when it was answered by the clock of aiokafka's fetcher, ms since the epoch; None before the first.
            now: of ``monotonic``.
        """
        if stamp is None:
            return None
        known = self._fetches.get(partition)
        if known is None or known.stamp != stamp:
            age = max(0.0, (self._wall() - stamp) / 1_000)
            if known is not None:  # it was answered after the last look, whatever the clock says
                age = min(age, now - known.seen_at)
            known = _Fetch(stamp, now - age, now)
        else:
            known = known._replace(seen_at=now)
        self._fetches[partition] = known
        return known

    def unanswered(self, seconds: float) -> list[TopicPartition]:
        """The partitions of which no fetch has been answered for more than ``seconds``, in order."""
        now = self._monotonic()
        return sorted(partition for partition, since in self._since.items() if now - since > seconds)
