"""Since when each input partition has not been answered: the broker may answer while one of its partitions does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

__all__ = ["FetchMonitor", "FetchStatus"]


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """What is known of a partition.

    Attributes:
        end: the offset after the last record, as the last fetch said; None before the first.
        answered: ms since a fetch of it was answered; None before the first.
        unanswered: ms for which it has not been answered while the broker took what was written.
    """

    end: int | None
    answered: int | None
    unanswered: int


class FetchMonitor:
    """Watches the partitions of a worker.

    Args:
        monotonic: seconds that never go back.
        wall: ms since the epoch, the clock of aiokafka's fetcher.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._since: dict[TopicPartition, float] = {}

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """These are the worker's now. One that has not been answered so far has still not been."""
        now = self._monotonic()
        self._since = {partition: self._since.get(partition, now) for partition in partitions}

    def answered(self, partition: TopicPartition) -> None:
        """It was, just now."""
        if partition in self._since:
            self._since[partition] = self._monotonic()

    def broker_was_away(self) -> None:
        """The whole of it: nothing can be said of a single partition."""
        self._since = dict.fromkeys(self._since, self._monotonic())

    def status(self, partition: TopicPartition, end: int | None, fetched_at: int | None) -> FetchStatus:
        """What is known of a partition.

        Args:
            end: its high watermark, as the consumer knows it.
            fetched_at: when a fetch of it was answered last, ms since the epoch; None before the first.
        """
        now = self._monotonic()
        since = self._since.setdefault(partition, now)
        answered = None if fetched_at is None else max(0, self._wall() - fetched_at)
        if answered is not None:
            since = self._since[partition] = max(since, now - answered / 1_000)
        return FetchStatus(end, answered, round(1_000 * (now - since)))

    def unanswered(self, seconds: float) -> list[TopicPartition]:
        """The partitions that have not been answered for so long."""
        now = self._monotonic()
        return sorted(partition for partition, since in self._since.items() if now - since > seconds)
