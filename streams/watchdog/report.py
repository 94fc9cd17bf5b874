"""What does a process say of itself: to ``/readyz``, ``/api/v1/health``, the console and the metrics?"""

from __future__ import annotations

import msgspec

__all__ = ["Evaluated", "Read", "Report", "ReportedObstacle", "Stalls"]


class ReportedObstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not get on.

    Attributes:
        why: what kind of obstacle this is.
        key: tells obstacles of one kind apart.
        since: when it began, ms.
        age_seconds: how long it has stood.
        sentence: what does not get on.
        remedy: what to do.
        blind: whether it has stood long enough that the watch is blind.
    """

    why: str
    key: str
    since: int
    age_seconds: float
    sentence: str
    remedy: str
    blind: bool


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """How far an environment is evaluated.

    Attributes:
        to: the last T, ms.
        lag_seconds: how far that is behind the broker's clock.
        here: whether this worker evaluates the environment; else another one does.
    """

    to: int
    lag_seconds: float
    here: bool


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """How far an input partition is read.

    Attributes:
        offset: the next offset that is read.
        end: the last stable offset.
    """

    offset: int
    end: int


class Stalls(msgspec.Struct, frozen=True, kw_only=True):
    """How the event loop goes round.

    Attributes:
        last_beat_seconds: how long ago it went round last; None: it has not begun.
        longest_seconds: the longest that a piece of this process's own work has held it, CPU time.
    """

    last_beat_seconds: float | None
    longest_seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one process.

    Attributes:
        at: when it was taken, ms.
        parts: part -> "ok", or why it does not do its work.
        stalled: parts whose loop stands still -> for how long.
        blind: kind of blindness -> the sentence that says so.
        obstacles: what does not get on, the oldest first.
        evaluated: environment -> how far it is evaluated.
        positions: input partition of this worker -> how far it is read.
        loop: how the event loop goes round.
        broker_clock_ahead_seconds: how far the broker's clock is ahead of this machine's.
        oldest_unsent_seconds: receiver -> how old its oldest command without an outcome is.
        told: receiver -> the kinds of blindness that it was told and that have not been taken back.
    """

    at: int
    parts: dict[str, str]
    stalled: dict[str, str]
    blind: dict[str, str]
    obstacles: tuple[ReportedObstacle, ...]
    evaluated: dict[str, Evaluated]
    positions: dict[int | str, Read]
    loop: Stalls
    broker_clock_ahead_seconds: float
    oldest_unsent_seconds: dict[str, float]
    told: dict[str, list[str]]

    @property
    def ready(self) -> bool:
        """Whether every part does its work and the watch is not blind."""
        return not self.blind and not self.wrong()

    def wrong(self) -> dict[str, str]:
        """What is wrong, by part: parts that stand still or wait, and each kind of blindness."""
        waiting = {part: why for part, why in self.parts.items() if why != "ok"}
        return waiting | self.stalled | {f"blind:{why}": sentence for why, sentence in self.blind.items()}
