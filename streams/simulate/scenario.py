"""What is a scenario? A named situation: episodes, start, duration and traffic."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.instants import DAY, HOUR, parse_instant
from streams.simulate.demand import DEFAULT_RATE
from streams.simulate.episodes import Episode
from streams.simulate.worlds.past import PAST
from streams.simulate.worlds.world import World

__all__ = ["PEAK", "Past", "Planned", "Scenario"]

#: A Tuesday without a holiday in the two weeks before it, at its busiest, Eastern time.
PEAK = "2026-10-06T14:00:00-04:00"


@dataclass(frozen=True, kw_only=True)
class Past:
    """What was unlike other days in the time before a scenario, as its history shows it.

    Attributes:
        scope: a path such as ``prod/*/idme``.
        ago: ms from the beginning of it to the start of the scenario.
        lasts: ms.
        share: how much of the usual traffic there was; 0 for none.
        bad: the share of the completed sign-ins that failed, beyond the usual.
        excluded: whether an incident covered it, so that the records name the scope.
        is_lost: whether there are no records of this time.
    """

    scope: str
    ago: int
    lasts: int
    share: float = 1.0
    bad: float = 0.0
    excluded: bool = False
    is_lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Planned:
    """Maintenance that was announced: a scope, and when it begins and how long it lasts, ms from the start."""

    scope: str
    at: int
    lasts: int


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
        history: ms of history before the start.
        past: what was unusual in the time of the history.
        planned: maintenance that has been announced.
        is_stamped: whether the broker's time of each event is known.
    """

    name: str
    description: str
    episodes: tuple[Episode, ...] = ()
    starts: str = PEAK
    duration: int = HOUR
    rate: float = DEFAULT_RATE
    world: World = PAST
    history: int = 14 * DAY
    past: tuple[Past, ...] = ()
    planned: tuple[Planned, ...] = ()
    is_stamped: bool = False

    @property
    def start(self) -> int:
        """``starts`` in ms since the epoch."""
        return parse_instant(self.starts)

    @property
    def start_hour(self) -> float:
        """Eastern hour of the day, 0-24, of ``starts``."""
        return int(self.starts[11:13]) + int(self.starts[14:16]) / 60
