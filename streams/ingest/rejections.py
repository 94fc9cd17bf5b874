"""What share of the records of the last minute was rejected, and what does the first of them lack?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiokafka import TopicPartition

from detectors.instants import SECOND
from streams.aggregate.rejected_share import LEAST, SHARE, WINDOW
from streams.ingest.blocks import Folded
from streams.runtime.progress import Progress, Why

__all__ = ["Rejections"]

log = structlog.get_logger(__name__)

#: From this share on rejections are a notice.
_NOTICE = 0.05
_REMEDY = (
    "ask the producer what it has changed; topic login-events.rejected holds the records, with the reasons"
)


@dataclass
class _Batches:
    """The records of a second.

    Attributes:
        read_at: seconds of the monotonic clock.
        records, rejected: how many.
        first: what the first rejected record lacks; "" if none was rejected.
    """

    read_at: float
    records: int = 0
    rejected: int = 0
    first: str = ""


class Rejections:
    """Counts what this worker reads and rejects, and says when too much is rejected.

    Args:
        progress: is told when the watch sees too little.
        monotonic: seconds that never go back.
        pace: how many times faster than real time the input runs.
    """

    def __init__(self, progress: Progress, monotonic: Callable[[], float], pace: float = 1.0) -> None:
        self._progress = progress
        self._monotonic = monotonic
        self._window = WINDOW / SECOND / pace
        self._seconds: deque[_Batches] = deque()
        self._noticed = False

    def note(self, partition: TopicPartition, folded: Folded) -> None:
        """Note what became of a batch of a topic and partition."""
        now = self._monotonic()
        if not self._seconds or now - self._seconds[-1].read_at >= self._window / 60:
            self._seconds.append(_Batches(now))
        batches = self._seconds[-1]
        batches.records += folded.values
        batches.rejected += len(folded.refused)
        if folded.refused and not batches.first:
            record, why, *_ = folded.refused[0]
            where = f"{partition.topic}/{partition.partition}, offset {record.offset}"
            batches.first = f"{why.reason}: {why.detail} ({where})"

    @property
    def share(self) -> float:
        """The share of the records of the last minute that were rejected; 0 where there were too few."""
        records, rejected = self._counts()
        return rejected / records if records >= LEAST else 0.0

    def look(self) -> None:
        """Say what has changed: a notice in the log, an obstacle."""
        records, rejected = self._counts()
        share = rejected / records if records >= LEAST else 0.0
        rejecting = next((one for one in self._seconds if one.rejected), None)
        if share > SHARE and rejecting is not None:
            sentence = (
                f"{rejected} of the last {records} records are no valid login events, and what happens to those people "
                f"is not seen; the first: {rejecting.first}"
            )
            self._progress.stuck(Why.REJECTED, sentence, remedy=_REMEDY, since=rejecting.read_at)
        else:
            self._progress.going(Why.REJECTED)
        if share > _NOTICE and not self._noticed and rejecting is not None:
            log.warning(
                "rejected_share_rose",
                share=round(share, 3),
                records=records,
                first=rejecting.first,
                remedy=_REMEDY,
            )
        elif self._noticed and share <= _NOTICE:
            log.info("rejected_share_fell", share=round(share, 3))
        self._noticed = share > _NOTICE

    def _counts(self) -> tuple[int, int]:
        """The records of the last minute, and how many of them were rejected."""
        since = self._monotonic() - self._window
        while self._seconds and self._seconds[0].read_at < since:
            self._seconds.popleft()
        return sum(one.records for one in self._seconds), sum(one.rejected for one in self._seconds)
