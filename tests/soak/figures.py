"""What did a long run bring? Memory, log, stalls of the loop and lag, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Figures", "Sample", "growth", "percentile"]

_MEGABYTE = 1 << 20
#: What memory may grow by in the second half of a run, as a part of what it was, an hour.
_MOST_GROWTH = 0.10
#: By how many seconds evaluation may be behind while a worker has just been killed, and in the second half of a run.
_MOST_LAG, _MOST_LAG_LATER = 60.0, 15.0


@dataclass(frozen=True)
class Sample:
    """What was seen at one instant.

    Attributes:
        at: seconds since the load began.
        memory: resident bytes of both workers.
        log: bytes that all workers have printed.
        lines: lines that they have printed.
        lag: seconds by which evaluation of prod is behind the present.
    """

    at: float
    memory: int
    log: int
    lines: int
    lag: float


def growth(samples: Sequence[Sample]) -> float:
    """By how many bytes an hour memory grows, by the straight line of least squares; 0 for fewer than two samples."""
    count = len(samples)
    if count < 2:
        return 0.0
    middle = sum(one.at for one in samples) / count
    mean = sum(one.memory for one in samples) / count
    spread = sum((one.at - middle) ** 2 for one in samples)
    slope = sum((one.at - middle) * (one.memory - mean) for one in samples) / spread if spread else 0.0
    return slope * 3600


def percentile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """The upper bound of the bucket that holds the ``share`` smallest; 0 where nothing was counted.

    Args:
        buckets: (upper bound, cumulative count), ascending, as Prometheus has them.
        share: from 0 to 1.
    """
    total = buckets[-1][1] if buckets else 0.0
    for bound, count in buckets:
        if total and count >= share * total:
            return bound
    return 0.0


def _most_lag(samples: Sequence[Sample]) -> float:
    return max((one.lag for one in samples), default=0.0)


@dataclass
class Figures:
    """What a run brought.

    Attributes:
        rate: events a second that were asked for.
        seconds: how long the load lasted.
        sent: events that were produced.
        counted: events that the workers have accepted, each once, by their segments.
        turns: changes of incidents that were compared with a replay.
        slis: indicators that were compared with a replay.
        pages: how often somebody was woken.
        samples: taken every few seconds.
        stalls: buckets of the histogram of stalls of the loop, as at the end.
        blind: alerts about the watch itself, in words.
        faults: what differs from a replay, and what else went wrong, in words.
    """

    rate: int
    seconds: float = 0.0
    sent: int = 0
    counted: int = 0
    turns: int = 0
    slis: int = 0
    pages: int = 0
    samples: list[Sample] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def second_half(self) -> list[Sample]:
        """The samples from the middle of the run on."""
        return [one for one in self.samples if one.at >= self.seconds / 2]

    @property
    def complaints(self) -> list[str]:
        """What is not as it must be, in words."""
        said = [*self.faults, *(f"the watch was said to be blind: {one}" for one in self.blind)]
        half = self.second_half
        if half and growth(half) > _MOST_GROWTH * half[0].memory:
            said.append(f"memory grows by {growth(half) / _MEGABYTE:.0f} MB an hour")
        for some, most in ((self.samples, _MOST_LAG), (half, _MOST_LAG_LATER)):
            if (lag := _most_lag(some)) > most:
                said.append(f"evaluation was {lag:.0f} s behind; {most:.0f} s are allowed then")
        if self.counted != self.sent:
            said.append(f"{self.sent} events were produced, {self.counted} counted")
        return said

    def as_json(self) -> dict[str, Any]:
        """For `.data/soak`."""
        half = self.second_half
        minutes = self.seconds / 60 or 1.0
        last = self.samples[-1] if self.samples else Sample(0.0, 0, 0, 0, 0.0)
        return {
            "minutes": round(minutes, 1),
            "events": self.sent,
            "counted": self.counted,
            "events_a_second": round(self.sent / self.seconds) if self.seconds else 0,
            "memory_mb_at_the_middle": round(half[0].memory / _MEGABYTE, 1) if half else 0.0,
            "memory_mb_at_the_end": round(last.memory / _MEGABYTE, 1),
            "memory_mb_most": round(max((one.memory for one in self.samples), default=0) / _MEGABYTE, 1),
            "memory_growth_mb_an_hour": round(growth(half) / _MEGABYTE, 1),
            "log_kb_a_minute": round(last.log / 1024 / minutes, 1),
            "log_lines_a_minute": round(last.lines / minutes, 1),
            "loop_stall_p99_seconds": percentile(self.stalls, 0.99),
            "loop_stall_most_seconds": percentile(self.stalls, 1.0),
            "lag_most_seconds": round(_most_lag(self.samples), 1),
            "lag_most_seconds_in_the_second_half": round(_most_lag(half), 1),
            "pages": self.pages,
            "changes_of_incidents_as_replayed": self.turns,
            "indicators_as_replayed": self.slis,
            "blind": self.blind,
            "complaints": self.complaints,
        }

    def words(self) -> str:
        """A line for people to read for each figure."""
        return "\n".join(f"{name.replace('_', ' '):36} {value}" for name, value in self.as_json().items())
