"""For how long have fetches of an input partition gone unanswered?

The broker may answer while one of its partitions does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

__all__ = ["FetchMonitor", "FetchStatus"]


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """What the fetches of one partition have said.

    Attributes:
        end: the offset after the last record, as the last fetch said; None before the first.
        answered: ms since a fetch of the partition was answered; None before the first.
        unanswered: ms for which no fetch of the partition was answered, though the broker took what was written.
    """

    end: int | None
    answered: int | None
    unanswered: int


class FetchMonitor:
    """Notes when each partition of a worker was answered last.

    Args:
        monotonic: seconds that never go back.
        wall: ms since the epoch, the clock of aiokafka's fetcher.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._since: dict[TopicPartition, float] = {}

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Watch exactly these partitions. One that was watched before keeps the time of its last answer."""
        now = self._monotonic()
        self._since = {partition: self._since.get(partition, now) for partition in partitions}

    def answered(self, partition: TopicPartition) -> None:
        """Note that a fetch of the partition was answered now."""
        if partition in self._since:
            self._since[partition] = self._monotonic()

    def broker_was_away(self) -> None:
        """Begin all waits anew: while the whole broker was away, no single partition was to blame."""
        self._since = dict.fromkeys(self._since, self._monotonic())

    def status(self, partition: TopicPartition, end: int | None, fetched_at: int | None) -> FetchStatus:
        """The status of a partition now.

        Args:
            partition: the partition.
            end: the high watermark that the consumer knows.
            fetched_at: when a fetch of the partition was answered last, ms since the epoch; None before the first.
        """
        now = self._monotonic()
        since = self._since.setdefault(partition, now)
        answered = None if fetched_at is None else max(0, self._wall() - fetched_at)
        if answered is not None:
            since = self._since[partition] = max(since, now - answered / 1_000)
        return FetchStatus(end, answered, round(1_000 * (now - since)))

    def unanswered(self, seconds: float) -> list[TopicPartition]:
        """The partitions of which no fetch has been answered for more than ``seconds``, in order."""
        now = self._monotonic()
        return sorted(partition for partition, since in self._since.items() if now - since > seconds)
