"""Is each input partition of this worker read to its last stable offset, or does it get on at least?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from aiokafka import TopicPartition

from streams.ingest.fetch_monitor import FetchStatus
from streams.runtime.progress import Position, Progress, Why
from streams.segments.input_partition import InputPartition

__all__ = ["ReadReport"]

#: A partition that is not at its end must move within so long, seconds. A fetch takes half a second at most.
_STANDS = 5.0
_READING = "reading"


class _Moved(NamedTuple):
    """A position, when the partition came there, and when it was looked at last (monotonic seconds)."""

    position: int | None
    moved_at: float
    seen_at: float


class ReadReport:
    """Reports to the progress of a worker how its input partitions are read.

    Args:
        progress: is told what does not get on.
        monotonic: seconds that never go back.
        known_as: what a partition is known by; its number by default.
    """

    def __init__(
        self,
        progress: Progress,
        monotonic: Callable[[], float],
        known_as: Callable[[TopicPartition], InputPartition] = lambda place: int(place.partition),
    ) -> None:
        self._known_as = known_as
        self._progress = progress
        self._monotonic = monotonic
        self._known: dict[TopicPartition, _Moved] = {}
        self._waiting: set[TopicPartition] = set()
        self._held: dict[TopicPartition, tuple[str, str, float]] = {}

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """The worker has these partitions from now on; what is known of others is forgotten."""
        for partition in self._known.keys() | self._waiting:
            if partition not in partitions:
                self._forget(partition)

    def waits(self, partition: TopicPartition) -> None:
        """Report a partition that has not been claimed yet."""
        self._known.pop(partition, None)
        self._waiting.add(partition)
        sentence = (
            f"{_name(partition)} has not been read since it was assigned to this worker: "
            "what was known of it is being read back"
        )
        self._progress.stuck(Why.START, sentence, key=self._key(partition))

    def held(self, partition: TopicPartition, why: str, remedy: str = "") -> None:
        """Report why a partition is not read on, and what to do; "": it is."""
        if why:
            since = self._held.get(partition, ("", "", self._monotonic()))[2]
            self._held[partition] = f"{_name(partition)} is not read on: {why}", remedy, since
        else:
            self._held.pop(partition, None)

    def look(self, partition: TopicPartition, status: FetchStatus) -> None:
        """Report how a claimed partition stands.

        Args:
            partition: the topic and partition.
            status: what its fetches have said.
        """
        self._waiting.discard(partition)
        self._progress.going(Why.START, self._key(partition))
        now = self._monotonic()
        known = self._known.get(partition)
        if (
            known is None
            or known.position != status.position
            or status.at_end
            or now - known.seen_at > _STANDS
        ):
            known = _Moved(
                status.position, now, now
            )  # nobody has looked meanwhile: the loop waited for something else
        self._known[partition] = known = known._replace(seen_at=now)
        if status.position is not None and status.stable is not None:
            self._progress.read_to(self._known_as(partition), Position(status.position, status.stable))
        if partition in self._held:
            sentence, remedy, since = self._held[partition]
            self._progress.stuck(
                Why.PARTITION, sentence, key=self._key(partition), remedy=remedy, since=since
            )
        elif status.unanswered > 1_000 * _STANDS:
            seconds = status.unanswered / 1_000
            sentence = (
                f"{_name(partition)} cannot be fetched: the broker has answered nothing for {seconds:.0f} s"
            )
            self._progress.stuck(Why.PARTITION, sentence, key=self._key(partition), since=now - seconds)
        elif now - known.moved_at > _STANDS:
            sentence = (
                f"{_name(partition)} is read only up to offset {status.position}, its last stable offset is "
                f"{status.stable}, and it does not get on"
            )
            self._progress.stuck(Why.PARTITION, sentence, key=self._key(partition), since=known.moved_at)
        else:
            self._progress.going(Why.PARTITION, self._key(partition))
            if status.at_end:
                self._progress.going(Why.PARTITION, _READING)

    def failed(self, error: BaseException) -> None:
        """Report that records came and could not be read; it holds until a partition has been read to its end."""
        self._progress.stuck(Why.PARTITION, f"the input cannot be read: {error!r}", key=_READING)

    def _key(self, partition: TopicPartition) -> str:
        return f"partition {self._known_as(partition)}"

    def _forget(self, partition: TopicPartition) -> None:
        self._known.pop(partition, None)
        self._waiting.discard(partition)
        self._progress.going(Why.START, self._key(partition))
        self._progress.going(Why.PARTITION, self._key(partition))
        self._progress.read_to(self._known_as(partition), None)


def _name(partition: TopicPartition) -> str:
    return f"partition {partition.partition} of {partition.topic}"
