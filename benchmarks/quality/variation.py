"""How does a seed vary a scenario? The situation stays, its parameters change.

The properties that a scenario's name states stay: the effect and its scope, total or partial, at the peak, in the
evening, at night, on a weekend or a holiday. The seed varies the day and the minute of the start, the length, the
steepness and the size of the episodes, the traffic of the day, and how well the two weeks before predict this traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np

from detectors.instants import MINUTE, SECOND
from streams.simulate.demand import TIME_ZONE
from streams.simulate.episodes import Episode
from streams.simulate.rows import seeded
from streams.simulate.scenario import Scenario

__all__ = ["Varied", "vary"]

_YEARS = (2025, 2026, 2027)
#: The number of this module's random numbers; each source of random numbers in a simulation has another one.
_STREAM = 7
#: Mixes of errors that a failure may have besides the scenario's own mix.
_MIXES = {
    "ssoe_down": ("ssoe_down", "csp_down", "mpi_down"),
    "csp_down": ("csp_down", "ssoe_down"),
    "sis_down": ("sis_down", "mpi_down"),
}
#: Lengths that are essential to a scenario (a blip, a deploy) and do not vary.
_SHORT = 2 * MINUTE
#: The time after an outage at which a fail-over ends.
_SENT_BACK = 2 * MINUTE


@dataclass(frozen=True)
class Varied:
    """A scenario with the parameters of a seed.

    Attributes:
        scenario: the scenario with varied episodes, duration, rate and start.
        history_rate: the rate of the two weeks before, which differs because weeks differ.
    """

    scenario: Scenario
    history_rate: float


def vary(scenario: Scenario, seed: int) -> Varied:
    """Vary a scenario; the result is a function of the arguments."""
    rng = seeded(seed, _STREAM, *scenario.name.encode())
    starts = _another_day(rng, scenario.starts)
    rate = scenario.rate * rng.uniform(0.85, 1.25)
    later = int(rng.integers(-4 * MINUTE, 5 * MINUTE))
    episodes = _sent_back(tuple(_another(rng, episode, later) for episode in scenario.episodes))
    longer = max(
        (
            new.at + new.lasts - old.at - old.lasts
            for new, old in zip(episodes, scenario.episodes, strict=True)
        ),
        default=0,
    )
    duration = scenario.duration + max(0, -(-longer // MINUTE) * MINUTE)
    varied = replace(scenario, starts=starts, rate=rate, episodes=episodes, duration=duration)
    return Varied(varied, rate * rng.uniform(0.85, 1.18))


def _another(rng: np.random.Generator, episode: Episode, later: int) -> Episode:
    """Vary an episode without changing its meaning; all episodes of the scenario begin ``later`` ms later."""
    at = max(0, episode.at + later) if episode.at else 0
    lasts, share, flapping = episode.lasts, episode.share, episode.flapping
    if episode.at:  # an episode that begins with the simulation is a condition, not an event
        lasts = round(lasts * (rng.uniform(0.7, 1.2) if lasts < _SHORT else rng.uniform(0.85, 1.3)))
    if share < 1:
        share = min(0.95, share * rng.uniform(0.85, 1.2))
    if flapping:
        flapping = (round(flapping[0] * rng.uniform(0.6, 1.5)), round(flapping[1] * rng.uniform(0.6, 1.5)))
    errors = _MIXES.get(episode.errors, (episode.errors,))
    return replace(
        episode,
        at=at,
        lasts=max(lasts, SECOND),
        share=share,
        rise=round(episode.rise * rng.uniform(0.7, 1.2)),
        flapping=flapping,
        errors=errors[rng.integers(len(errors))],
        factor=episode.factor if episode.factor == 1 else episode.factor * rng.uniform(0.8, 1.5),
        per_minute=episode.per_minute * rng.uniform(0.5, 1.5),
    )


def _sent_back(episodes: tuple[Episode, ...]) -> tuple[Episode, ...]:
    """Let a fail-over end soon after its outage, because without sign-ins no recovery could be seen."""
    ends = [episode.at + episode.lasts for episode in episodes if episode.effect != "shift"]
    return tuple(
        replace(episode, lasts=min(episode.lasts, max(ends) + _SENT_BACK - episode.at))
        if episode.effect == "shift" and episode.label == "none" and ends
        else episode
        for episode in episodes
    )


def _another_day(rng: np.random.Generator, starts: str) -> str:
    """Return an instant on another day of an equal kind, at most some minutes from the time of day of ``starts``."""
    moment = datetime.fromisoformat(starts).astimezone(TIME_ZONE)
    day = moment.date()
    sort = next(sort for sort in _SORTS if sort(day))
    days = _days(_SORTS.index(sort))
    picked = days[rng.integers(len(days))]
    minutes = 0 if sort in (_spring, _fall) else int(rng.integers(-60, 75))
    local = datetime(picked.year, picked.month, picked.day, moment.hour, moment.minute, tzinfo=TIME_ZONE)
    # A start before midnight would be on another kind of day.
    shifted = local + timedelta(minutes=max(minutes, -60 * moment.hour), seconds=int(rng.integers(60)))
    return shifted.isoformat()


def _spring(day: date) -> bool:
    return _changes_clock(day) and day.month < 7


def _fall(day: date) -> bool:
    return _changes_clock(day) and day.month > 7


def _changes_clock(day: date) -> bool:
    before, after = (
        datetime(one.year, one.month, one.day, 12, tzinfo=TIME_ZONE).utcoffset()
        for one in (day - timedelta(days=1), day)
    )
    return before != after


def _holiday(day: date) -> bool:
    return day.weekday() < 5 and day in _holidays()


def _weekend(day: date) -> bool:
    return day.weekday() >= 5


def _ordinary(day: date) -> bool:
    return not _weekend(day) and not _holiday(day)


#: Kinds of days; the first kind that applies counts.
_SORTS: tuple[Callable[[date], bool], ...] = (_spring, _fall, _holiday, _weekend, _ordinary)


@lru_cache(maxsize=1)
def _holidays() -> frozenset[date]:
    import holidays  # slow to import

    return frozenset(holidays.country_holidays("US", years=_YEARS))


@lru_cache(maxsize=len(_SORTS))
def _days(sort: int) -> tuple[date, ...]:
    """Return all days of a kind, in order."""
    first = date(_YEARS[0], 1, 1)
    count = (date(_YEARS[-1], 12, 31) - first).days
    every = (first + timedelta(days=n) for n in range(count))
    return tuple(day for day in every if next(i for i, fits in enumerate(_SORTS) if fits(day)) == sort)
