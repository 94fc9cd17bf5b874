"""What happens in a healthy year? Holidays, changes of the clock, deploys, bots, scanners, moves, growth, lost hours.

The year is played in stretches of some days. Each stretch begins with the history of the five weeks before it, drawn
around the demand of that time, and with a watch that has just started. What lasts (growth, a provider that has come,
people who have moved) is part of the world of later stretches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from benchmarks.quality.cases import Case
from benchmarks.quality.variation import Varied
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from streams.simulate.demand import TIME_ZONE
from streams.simulate.episodes import Episode
from streams.simulate.rows import seeded
from streams.simulate.scenario import Past, Scenario
from streams.simulate.worlds.today import TODAY
from streams.simulate.worlds.world import World

__all__ = ["DAYS", "STRETCH", "Stretch", "stretches"]

#: A year, and the days of one stretch; the last one is shorter.
DAYS, STRETCH = 365, 5
#: It begins on a Sunday, and has the changes of the clock of 8 March and 1 November.
_FIRST = date(2026, 3, 1)
_STREAM = 21
#: Sign-ins a second at the peak of the first and of the last day, as multiples of the rate that is asked for.
_GROWTH = (0.9, 1.2)
#: The stretch, as a share of the year, in which clear comes, and in which mhv's last people leave for ID.me.
_CLEAR_COMES, _MHV_GOES = 0.35, 0.6
_HISTORY = 35 * DAY


@dataclass(frozen=True)
class Stretch(Case):
    """Some days of the year.

    Attributes:
        part: the number of the first day.
        days: how many days there are.
        rate: sign-ins per second at the peak.
    """

    days: int = STRETCH
    rate: float = 0.5

    def varied(self) -> Varied:
        """Return the days as a scenario."""
        rng = seeded(self.seed, _STREAM, self.part)
        of_year = self.part / DAYS
        world = _world(of_year)
        episodes = [*_deploys(rng, self.days), *_visitors(rng, self.days), *_moves(rng, of_year, self.days)]
        low, high = _GROWTH
        rate = self.rate * (low + (high - low) * of_year)
        scenario = Scenario(
            name="year",
            description=f"{self.days} healthy days with {len(episodes)} episodes.",
            episodes=tuple(sorted(episodes, key=lambda one: one.at)),
            starts=_midnight(self.part),
            duration=self.days * DAY,
            rate=rate,
            world=world,
            history=_HISTORY,
            past=_lost(rng),
        )
        return Varied(scenario, rate * rng.uniform(0.9, 1.1))


def stretches(seed: int, first: int = 0, days: int = DAYS, rate: float = 0.5) -> list[Stretch]:
    """Return the stretches from day ``first`` on; the days of one stretch do not depend on where the year is cut."""
    last = min(first + days, DAYS)
    return [
        Stretch("days", "year", seed, begin, min(STRETCH, DAYS - begin), rate)
        for begin in range(first - first % STRETCH, last, STRETCH)
    ]


def _midnight(day: int) -> str:
    """Return the beginning of a day of the year in New York, RFC 3339."""
    local = _FIRST + timedelta(days=day)
    return datetime(local.year, local.month, local.day, tzinfo=TIME_ZONE).isoformat()


def _world(of_year: float) -> World:
    """Return the world at a time of the year: clear has come, mhv has gone."""
    ssoe, sis = TODAY.csp_shares
    if of_year > _CLEAR_COMES:
        sis = (0.51, 0.42, 0.0, 0.07)
    if of_year > _MHV_GOES:
        ssoe = (0.56, 0.44, 0.0, 0.0)
    return replace(TODAY, csp_shares=(ssoe, sis))


def _deploys(rng: np.random.Generator, days: int) -> list[Episode]:
    """Return one to three short gaps in the busy hours of each day."""
    out = []
    for day in range(days):
        for _ in range(int(rng.integers(1, 4))):
            at = day * DAY + int(rng.integers(9 * HOUR, 17 * HOUR))
            lasts = int(rng.integers(10 * SECOND, 30 * SECOND))
            out.append(Episode(effect="silence", scope="prod", at=at, lasts=lasts, label="none"))
    return out


def _visitors(rng: np.random.Generator, days: int) -> list[Episode]:
    """Return bots with and without a name, scanners, blips of seconds, and late delivery."""
    out = []
    for day in range(days):
        at = day * DAY + int(rng.integers(0, 22 * HOUR))
        kind = rng.random()
        if kind < 0.3:
            bot = Episode(
                effect="bot",
                scope=("prod/sis/idme", "prod/ssoe/logingov")[rng.integers(2)],
                at=at,
                lasts=int(rng.integers(10 * MINUTE, HOUR)),
                steps=("callback",),
                errors="csp_down",
                per_minute=float(rng.uniform(1, 6)),
                identified=bool(rng.integers(2)),
                label="noticed",
            )
            out.append(bot)
        elif kind < 0.6:
            scan = Episode(
                effect="scan",
                scope="prod/sis",
                at=at,
                lasts=int(rng.integers(MINUTE, 10 * MINUTE)),
                errors="scanner",
                per_minute=float(rng.uniform(10, 200)),
                label="noticed",
            )
            out.append(scan)
        elif kind < 0.75:
            late = Episode(
                effect="late",
                scope="prod",
                at=at,
                lasts=int(rng.integers(5 * MINUTE, 2 * HOUR)),
                share=float(rng.uniform(0.05, 0.3)),
                delay=(3 * SECOND, 2 * MINUTE),
                label="none",
            )
            out.append(late)
    return out


def _moves(rng: np.random.Generator, of_year: float, days: int) -> list[Episode]:
    """Return the people who try another way for a while, and the moves after which a world is another."""
    width = days / DAYS

    def begins(share: float) -> bool:
        return of_year <= share < of_year + width

    out = []
    if begins(_CLEAR_COMES):
        out.append(_move("prod/sis", "*/clear", DAY, days, 0.07, rise=2 * DAY))
    if begins(_MHV_GOES):
        out.append(_move("prod/*/mhv", "*/idme", DAY, days, 1.0, rise=DAY))
    if rng.random() < 0.25:
        at = int(rng.integers(0, (days - 1) * 24)) * HOUR + 10 * HOUR
        scope, to = (
            ("prod/ssoe", "sis"),
            ("prod/*/logingov", "*/idme"),
            ("prod/sis/*/vaweb", "*/*/vamobile"),
        )[rng.integers(3)]
        rise = int(rng.integers(MINUTE, 3 * HOUR))
        move = _move(scope, to, at, days, float(rng.uniform(0.3, 1.0)), rise=rise)
        out.append(replace(move, lasts=min(days * DAY - at, int(rng.integers(2 * HOUR, 20 * HOUR)))))
    return out


def _move(scope: str, to: str, at: int, days: int, share: float, rise: int) -> Episode:
    return Episode(
        effect="shift",
        scope=scope,
        at=at,
        lasts=days * DAY - at,
        share=share,
        rise=rise,
        to=to,
        about=scope,
        label="noticed",
    )


def _lost(rng: np.random.Generator) -> tuple[Past, ...]:
    """Return what is wrong with the history: hours without records, and an hour in which everything was down."""
    lost = [
        Past(
            scope="prod",
            ago=int(rng.integers(DAY, _HISTORY - DAY)),
            lasts=int(rng.integers(HOUR, 8 * HOUR)),
            is_lost=True,
        )
        for _ in range(int(rng.integers(0, 4)))
    ]
    if rng.random() < 0.3:
        down = Past(scope="prod", ago=int(rng.integers(2 * DAY, _HISTORY - DAY)), lasts=2 * HOUR, share=0.0)
        lost.append(down)
    return tuple(lost)
