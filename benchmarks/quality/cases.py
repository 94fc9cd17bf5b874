"""Which cases measure the quality? Scenarios of the library, drawn situations and healthy days, by a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from benchmarks.quality.drawn import draw
from benchmarks.quality.drawn_situations import draw_situation
from benchmarks.quality.variation import Varied, vary
from detectors.instants import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from streams.simulate.demand import DEFAULT_RATE, Demand
from streams.simulate.episodes import Episode
from streams.simulate.history import history
from streams.simulate.library import situations
from streams.simulate.rows import seeded
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation
from streams.simulate.worlds.past import PAST

__all__ = [
    "COMPARED",
    "REPORTED_SEEDS",
    "SITUATIONS",
    "TUNING_SEEDS",
    "Case",
    "days",
    "drawn",
    "drawn_situations",
    "library",
]

#: The only seeds on which detectors are tuned.
TUNING_SEEDS = range(1, 100)
#: The seeds of published figures.
REPORTED_SEEDS = range(501, 1000)

#: The scenarios of the published figures: those of one world, so that figures stay comparable over time.
COMPARED = tuple(name for name, scenario in SCENARIOS.items() if scenario.world is PAST)

#: The scenarios that are hard to judge; their figures stand apart from those of the library.
SITUATIONS = tuple(one.name for one in situations.SITUATIONS)

Suite = Literal["library", "drawn", "days"]

#: An episode that impacts fewer people than this need not be noticed.
_FEW = 15
#: A start is at peak from this share of the weekday's greatest demand on, which includes Fridays, but no evenings or
#: weekends.
_PEAK = 0.85
#: A start below this share is at night: midnight to five.
_NIGHT = 0.1
#: Healthy days are run in stretches of this many; they include Thanksgiving, Veterans Day and the end of summer time.
_RUN_DAYS = 6
_FIRST_DAYS = ("2026-11-01T00:00:00-04:00", "2025-06-28T00:00:00-04:00", "2027-01-14T00:00:00-05:00")
_STREAM = 9


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        suite: library, drawn or days.
        kind: name of the scenario; of the suite ``drawn``, ``drawn`` or ``situation``; ``days`` has one kind.
        seed: the seed from which all else follows.
        part: for healthy days, the number of their stretch.
    """

    suite: Suite
    kind: str
    seed: int
    part: int = 0

    @property
    def name(self) -> str:
        """A name that is unique and usable as a file name."""
        return f"{self.kind}-{self.seed}" + (f"-{self.part}" if self.suite == "days" else "")

    def varied(self) -> Varied:
        """Return the situation with its parameters."""
        if self.suite == "library":
            return vary(SCENARIOS[self.kind], self.seed)
        if self.suite == "drawn":
            drawn = draw(self.seed) if self.kind == "drawn" else draw_situation(self.seed)
            varied = vary(replace(drawn, episodes=()), self.seed)
            # A drawn situation already has drawn lengths.
            scenario = replace(varied.scenario, episodes=drawn.episodes)
            return replace(varied, scenario=scenario)
        return _healthy(self.seed, self.part)

    def play(self) -> tuple[Scenario, Simulation]:
        """Return the situation and its simulation."""
        scenario = self.varied().scenario
        return scenario, Simulation(scenario, self.seed, scenario.start, Demand(scenario.rate))

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield the five-minute records of the time before the case."""
        varied = self.varied()
        scenario = varied.scenario
        demand = Demand(varied.history_rate)
        return history(
            self.seed, scenario.start, demand, scenario.world, scenario.past, length=scenario.history
        )

    def truth(self, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the labels; a label with hardly any impacted people does not require that somebody notice it."""
        out = []
        for record in records:
            slight = record["users"] < _FEW and record["severity"] == 3 and record["kind"] == "outage"
            out.append({name: value for name, value in record.items() if name != "page" or not slight})
        return out

    @property
    def is_total(self) -> bool:
        """Whether all requests of a scope fail at once, for more than a moment."""
        troubles = [episode for episode in self.varied().scenario.episodes if episode.label != "none"]
        return bool(troubles) and all(map(_is_total, troubles))

    @property
    def is_at_peak(self) -> bool:
        """Whether the case begins in a weekday's busiest hours."""
        return self._demand() >= _PEAK

    @property
    def is_at_night(self) -> bool:
        """Whether the case begins when hardly anybody signs in."""
        return self._demand() < _NIGHT

    def _demand(self) -> float:
        """Return the demand at the start, as a share of the weekday's greatest."""
        start = np.array([self.varied().scenario.start], np.int64)
        return float(Demand(1.0).per_second(start)[0])


def library(seeds: Iterable[int], kinds: Iterable[str] = COMPARED) -> list[Case]:
    """Return each of the scenarios with every seed."""
    return [Case("library", kind, seed) for seed in seeds for kind in kinds]


def drawn(seeds: Iterable[int]) -> list[Case]:
    """Return one drawn situation for each seed."""
    return [Case("drawn", "drawn", seed) for seed in seeds]


def drawn_situations(seeds: Iterable[int]) -> list[Case]:
    """Return one drawn situation that is hard to judge for each seed."""
    return [Case("drawn", "situation", seed) for seed in seeds]


def days(seed: int, count: int = 30) -> list[Case]:
    """Return ``count`` healthy days in stretches of six; the month depends on the seed."""
    return [Case("days", "days", seed, part) for part in range(-(-count // _RUN_DAYS))]


def _healthy(seed: int, part: int) -> Varied:
    first = parse_instant(_FIRST_DAYS[seed % len(_FIRST_DAYS)])
    start = first + part * _RUN_DAYS * DAY
    rng = seeded(seed, _STREAM, part)
    deploys = []
    for day in range(_RUN_DAYS):
        for _ in range(int(rng.integers(1, 4))):
            # between 09:00 and 17:00, plus or minus an hour for summer time
            at = day * DAY + int(rng.integers(9 * HOUR, 17 * HOUR))
            lasts = int(rng.integers(10 * SECOND, 30 * SECOND))
            deploys.append(Episode(effect="silence", scope="prod", at=at, lasts=lasts, label="none"))
    rate = DEFAULT_RATE * rng.uniform(0.85, 1.25)
    healthy = replace(
        SCENARIOS["healthy"],
        name="days",
        description=f"{_RUN_DAYS} healthy days with {len(deploys)} deploys.",
        starts=format_instant(start),
        duration=_RUN_DAYS * DAY,
        episodes=tuple(deploys),
        rate=rate,
    )
    return Varied(healthy, rate * rng.uniform(0.85, 1.18))


def _is_total(episode: Episode) -> bool:
    return (
        episode.effect == "failure"
        and episode.share == 1
        and not episode.rise
        and not episode.flapping
        and episode.lasts > 2 * MINUTE
    )
