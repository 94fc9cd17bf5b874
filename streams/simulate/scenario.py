"""What is a scenario? A named situation: episodes, start, duration and traffic."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.instants import HOUR, parse_instant
from streams.simulate.demand import DEFAULT_RATE
from streams.simulate.episodes import Episode
from streams.simulate.worlds.past import PAST
from streams.simulate.worlds.world import World

__all__ = ["PEAK", "Scenario"]

#: A Tuesday without a holiday in the two weeks before it, at its busiest, Eastern time.
PEAK = "2026-10-06T14:00:00-04:00"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A named situation.

    Attributes:
        name: the name on the command line.
        description: one line.
        episodes: the episodes, relative to the start; none in a healthy scenario.
        starts: the instant at which the scenario starts by default, RFC 3339 with the Eastern offset.
        duration: ms from before the first episode until the recovery from the last one.
        rate: sign-ins per second at the weekday peak.
        world: the world that the scenario is about, which may be a variant of a named one.
    """

    name: str
    description: str
    episodes: tuple[Episode, ...] = ()
    starts: str = PEAK
    duration: int = HOUR
    rate: float = DEFAULT_RATE
    world: World = PAST

    @property
    def start(self) -> int:
        """``starts`` in ms since the epoch."""
        return parse_instant(self.starts)

    @property
    def start_hour(self) -> float:
        """Eastern hour of the day, 0-24, of ``starts``."""
        return int(self.starts[11:13]) + int(self.starts[14:16]) / 60
