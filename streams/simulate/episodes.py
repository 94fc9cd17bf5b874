"""What goes wrong in a simulation? Episodes as data (effect, scope, time, share), and their effect on events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE
from streams.simulate.errors import MIXES
from streams.simulate.rows import ATTEMPT, AXES, EVENT, NONE, Rows, concat, events_of, scope_mask
from streams.simulate.worlds.world import CALLBACK, FAILURE, OUTCOMES, START_STEP, STEPS, World

__all__ = ["BOT", "BOT_TRIES", "Effect", "Episode", "Placed", "Troubles"]

Effect = Literal[
    "failure",  # requests fail with a server error
    "surge",  # requests fail with a user error
    "silence",  # events do not arrive at all
    "no_return",  # people start and never come back from the credential provider
    "slow",  # requests take ``factor`` times as long
    "shift",  # sign-ins take the method, provider or client ``to`` instead of their own
    "wait",  # people take ``delay`` ms longer at the credential provider, and come back
    "scan",  # ``per_minute`` callbacks a minute without a sign-in: no flow, provider, client or person
    "added",  # sign-ins are accompanied by a request of the step and with the outcome ``adds``
    "bot",  # ``people`` identities in turn try ``per_minute`` times a minute and fail each time
    "clock",  # the clock of a producer is wrong by ``skew`` ms
    "late",  # events are delivered ``delay`` ms after the others
    "duplicate",  # events are delivered twice, the second copy ``delay`` ms later
]
_DELIVERY: tuple[Effect, ...] = ("late", "duplicate")
#: The server time of a scanner's request, ms.
_SCAN_TAKES = 6
#: The time from the beginning of a sign-in to a request that accompanies it, ms.
_ADDED_AFTER = 150
#: The first identity of bots; those of one episode follow on it, and those of the next one after ``_MOST_BOTS``.
BOT = np.uint64(0xB07)
_MOST_BOTS = 100_000
#: The tries of an attempt of one named identity, and of other bots, which are soon back: no person tries as often.
_NAMED_BOT_TRIES = np.iinfo(np.uint8).max
BOT_TRIES = _NAMED_BOT_TRIES - 1


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One thing that goes wrong, relative to the start of a simulation.

    Attributes:
        effect: what happens.
        scope: the scope that is affected, a path such as ``prod/*/idme``.
        at, lasts: the beginning, in ms from the simulation's start, and the duration, ms.
        share: the share of the events in question that is affected once the episode has fully risen.
        rise: ms over which the share grows linearly from 0; 0 for a sudden beginning.
        flapping: ms on and ms off, in turns; None for an episode without pauses.
        stages: (ms from the beginning, share): from then on the share is this one.
        steps: the steps that are affected (by failure, surge, slow, silence, late, duplicate).
        errors: name of the mix of errors (``errors.MIXES``) for failure, surge, bot and scan.
        factor: factor of the durations for slow.
        per_minute: tries per minute for bot and scan.
        people: for bot, how many identities there are.
        identified: for bot, whether its failures name their person.
        hides: whether failures do not name the provider, though their step does.
        skew: for clock, how far the clock is ahead, ms; below 0, how far it is behind.
        to: for shift, the values that sign-ins take, as a path below the environment; ``*`` keeps the own value.
        adds: for added, step and outcome of the requests.
        delay: least and greatest delay, ms, for late, duplicate and wait.
        about: the scope that the truth names; that of the episode if None.
        label: how the truth lists the episode: "wakes" (if enough people are impacted), "noticed" (wakes nobody),
            "either" (a page is allowed), "none" (not listed).

    Raises:
        ValueError: a step or the mix of errors is unknown, or a number is out of range.
    """

    effect: Effect
    scope: str
    at: int = 10 * MINUTE
    lasts: int = 25 * MINUTE
    share: float = 1.0
    rise: int = 0
    flapping: tuple[int, int] | None = None
    stages: tuple[tuple[int, float], ...] = ()
    steps: tuple[str, ...] = STEPS
    errors: str = "ssoe_down"
    factor: float = 1.0
    per_minute: float = 0.0
    people: int = 1
    identified: bool = True
    hides: bool = False
    skew: int = 0
    delay: tuple[int, int] = (0, 0)
    to: str = "sis"
    adds: tuple[str, str] = ("webauthn_options", "offered")
    about: str | None = None
    label: Literal["wakes", "noticed", "either", "none"] = "wakes"

    def __post_init__(self) -> None:
        if self.errors not in MIXES or not {*self.steps, self.adds[0]} <= set(STEPS):
            raise ValueError(f"no such errors or steps: {self.errors!r}, {self.steps!r}, {self.adds[0]!r}")
        if self.adds[1] not in OUTCOMES:
            raise ValueError(f"no such outcome: {self.adds[1]!r}")
        if not 0 <= self.share <= 1 or self.lasts <= 0 or self.rise < 0 or self.factor <= 0:
            raise ValueError("an episode has a share of 0 to 1, and lasts and stretches by more than 0")
        if not 0 <= self.delay[0] <= self.delay[1] or (self.flapping and min(self.flapping) <= 0):
            raise ValueError(
                "a delay goes from least to greatest, and flapping is on and off for a while each"
            )
        if not 1 <= self.people <= _MOST_BOTS or any(not 0 <= share <= 1 for _, share in self.stages):
            raise ValueError("a bot has 1 to 100,000 identities, and a stage a share of 0 to 1")
        if self.effect == "bot" and (self.per_minute <= 0 or "*" in self.scope or self.scope.count("/") != 2):
            raise ValueError("a bot tries now and then, with one method and one credential provider")
        if self.effect == "scan" and (
            self.per_minute <= 0 or "*" in self.scope or self.scope.count("/") != 1
        ):
            raise ValueError("a scan has tries now and then, and a scope of one method")


@dataclass(frozen=True)
class Placed:
    """An episode with its time: ``begin`` and ``end`` in ms since the epoch."""

    index: int
    episode: Episode
    begin: int
    end: int

    def intensity(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the share that is affected at each instant (ms), 0 outside the episode."""
        episode = self.episode
        passed = t - self.begin
        share = np.where((passed >= 0) & (t < self.end), episode.share, 0.0)
        for after, then in episode.stages:
            share[(passed >= after) & (t < self.end)] = then
        if episode.rise:
            share *= np.clip(passed / episode.rise, 0.0, 1.0)
        if episode.flapping:
            on, off = episode.flapping
            share *= passed % (on + off) < on
        return share

    @property
    def first_bot(self) -> int:
        """The least of the identities of a bot."""
        return int(BOT) + self.index * _MOST_BOTS

    def overlaps(self, t: npt.NDArray[np.int64]) -> bool:
        """Return whether any instant (ms) of a non-empty array lies in the episode."""
        return bool(len(t)) and int(t.max()) >= self.begin and int(t.min()) < self.end

    def hits(self, rng: np.random.Generator, rows: Rows, world: World) -> npt.NDArray[np.bool_]:
        """Return which rows the episode affects: rows in its scope, at its steps, drawn with its share."""
        episode = self.episode
        mask = scope_mask(rows, episode.scope, world)
        if episode.steps != STEPS and "step" in (rows.dtype.names or ()):
            mask &= np.isin(rows["step"], [STEPS.index(step) for step in episode.steps])
        if episode.effect == "bot":
            mask &= (rows["person"] >= self.first_bot) & (rows["person"] < self.first_bot + episode.people)
        mask &= rng.random(len(rows)) < self.intensity(rows["t"])
        return mask


class Troubles:
    """All episodes of a simulation that starts at ``start`` (ms), in a world.

    Raises:
        ValueError: the world has not what an episode names.
    """

    def __init__(self, episodes: Sequence[Episode], start: int, world: World) -> None:
        for episode in episodes:
            world.leaf(episode.scope)
            world.leaf(episode.about or episode.scope)
            if episode.effect == "shift":
                world.leaf(f"prod/{episode.to}")
        self.world = world
        self.placed = tuple(
            Placed(i, e, start + e.at, start + e.at + e.lasts) for i, e in enumerate(episodes)
        )

    def _of(self, t: npt.NDArray[np.int64], *effects: Effect) -> list[Placed]:
        return [p for p in self.placed if p.episode.effect in effects and p.overlaps(t)]

    def fail(self, rng: np.random.Generator, rows: Rows) -> None:
        """Turn affected events into failures, in place; the first episode that affects an event is its cause."""
        for placed in self._of(rows["t"], "failure", "surge", "bot"):
            hit = np.flatnonzero(placed.hits(rng, rows, self.world) & (rows["cause"] == NONE))
            mix = MIXES[placed.episode.errors]
            rows["error"][hit] = mix.draw(rng, len(hit))
            rows["outcome"][hit] = FAILURE
            rows["cause"][hit] = placed.index
            rows["hidden"][hit] = placed.episode.hides
            known = float(placed.episode.identified) if placed.episode.effect == "bot" else mix.identified
            rows["identified"][hit] = rng.random(len(hit)) < known

    def slow(self, rng: np.random.Generator, rows: Rows) -> None:
        """Multiply the durations of affected events, in place."""
        for placed in self._of(rows["t"], "slow"):
            hit = np.flatnonzero(placed.hits(rng, rows, self.world))
            stretched = rows["duration"][hit] * placed.episode.factor
            # The gateway gives up after a minute.
            rows["duration"][hit] = np.minimum(np.rint(stretched), MINUTE)
            rows["cause"][hit] = np.where(rows["cause"][hit] == NONE, placed.index, rows["cause"][hit])

    def withhold(self, rng: np.random.Generator, rows: Rows, effect: Literal["silence", "no_return"]) -> None:
        """Turn affected events into ghosts, which do not arrive, in place."""
        for placed in self._of(rows["t"], effect):
            hit = np.flatnonzero(placed.hits(rng, rows, self.world) & ~rows["ghost"])
            rows["ghost"][hit] = True
            rows["cause"][hit] = placed.index

    def divert(self, rng: np.random.Generator, attempts: Rows) -> None:
        """Let affected sign-ins take another method, provider or client, in place."""
        for placed in self._of(attempts["t"], "shift"):
            hit = placed.hits(rng, attempts, self.world)
            _, values = self.world.leaf(f"prod/{placed.episode.to}")
            for column, value in zip(AXES, values, strict=True):
                if value is not None:
                    attempts[column][hit] = value

    def wait(self, rng: np.random.Generator, attempts: Rows) -> npt.NDArray[np.int64]:
        """Return how much longer each person stays at the credential provider, ms."""
        longer = np.zeros(len(attempts), dtype=np.int64)
        for placed in self._of(attempts["t"], "wait"):
            hit = np.flatnonzero(placed.hits(rng, attempts, self.world))
            low, high = placed.episode.delay
            longer[hit] += rng.integers(low, high + 1, len(hit))
        return longer

    def mistime(self, rng: np.random.Generator, rows: Rows) -> None:
        """Let the events of producers with wrong clocks say that they happened at another time, in place."""
        for placed in self._of(rows["t"], "clock"):
            rows["t"][np.flatnonzero(placed.hits(rng, rows, self.world))] += placed.episode.skew

    def delays(
        self, rng: np.random.Generator, rows: Rows
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the delay of each event (ms), the positions of events sent twice, and the copies' delays (ms)."""
        delay = np.zeros(len(rows), dtype=np.int64)
        twice: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        after: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        for placed in self._of(rows["t"], *_DELIVERY):
            hit = np.flatnonzero(placed.hits(rng, rows, self.world))
            low, high = placed.episode.delay
            drawn = rng.integers(low, high + 1, len(hit))
            if placed.episode.effect == "late":
                delay[hit] = np.maximum(delay[hit], drawn)
            else:
                twice.append(hit)
                after.append(drawn)
        copies = np.concatenate(twice)
        return delay, copies, delay[copies] + np.concatenate(after)

    @property
    def delivers_oddly(self) -> bool:
        """Whether any event may be delivered late or twice."""
        return any(p.episode.effect in _DELIVERY for p in self.placed)

    @property
    def mistimes(self) -> bool:
        """Whether any clock is wrong."""
        return any(p.episode.effect == "clock" for p in self.placed)

    def bots(self, begin: int, end: int) -> Rows:
        """Return the bots' attempts to sign in, in [begin, end) ms."""
        parts = []
        for placed in self._of_effect("bot"):
            # The last attempt returns from the credential provider before the episode ends.
            ticks = _ticks(placed, placed.end - 2 * MINUTE, begin, end)
            rows = np.zeros(len(ticks), ATTEMPT)
            rows["t"] = ticks
            rows["env"], (rows["method"], rows["csp"], _) = self.world.leaf(placed.episode.scope)
            turn = np.rint((ticks - placed.begin) / _gap(placed)).astype(np.int64)
            rows["person"] = placed.first_bot + turn % placed.episode.people
            # a bot tries at fixed intervals instead of retrying
            known = placed.episode.people == 1 and placed.episode.identified
            rows["tries"] = _NAMED_BOT_TRIES if known else BOT_TRIES
            parts.append(rows)
        return concat(parts, ATTEMPT)

    def scans(self, rng: np.random.Generator, begin: int, end: int) -> Rows:
        """Return the callbacks of scanners, in [begin, end) ms."""
        parts = []
        for placed in self._of_effect("scan"):
            ticks = _ticks(placed, placed.end, begin, end)
            who = np.zeros(len(ticks), ATTEMPT)
            who["env"], (who["method"], _, _) = self.world.leaf(placed.episode.scope)
            who["csp"], who["client"] = len(self.world.providers), len(self.world.clients)
            rows = events_of(who, CALLBACK, ticks)
            rows["error"] = MIXES[placed.episode.errors].draw(rng, len(rows))
            rows["outcome"] = FAILURE
            rows["cause"] = placed.index
            rows["identified"] = False
            rows["duration"] = _SCAN_TAKES
            rows["request"] = rng.integers(1, 2**63, len(rows), dtype=np.uint64)
            parts.append(rows)
        return concat(parts, EVENT)

    def added(self, rng: np.random.Generator, rows: Rows) -> Rows:
        """Return the requests that accompany the beginnings of sign-ins among ``rows``."""
        parts = []
        for placed in self._of(rows["t"], "added"):
            starts = rows[np.isin(rows["step"], START_STEP)]
            starts = starts[placed.hits(rng, starts, self.world)]
            step, outcome = placed.episode.adds
            more = events_of(starts, STEPS.index(step), starts["t"] + _ADDED_AFTER)
            more["outcome"] = OUTCOMES.index(outcome)
            more["identified"] = False
            more["duration"] = starts["duration"]
            more["request"] = rng.integers(1, 2**63, len(more), dtype=np.uint64)
            parts.append(more)
        return concat(parts, EVENT)

    def _of_effect(self, effect: Effect) -> list[Placed]:
        return [placed for placed in self.placed if placed.episode.effect == effect]


def _ticks(placed: Placed, last: int, begin: int, end: int) -> npt.NDArray[np.int64]:
    """Return the instants, ``per_minute`` a minute, from an episode's begin until ``last`` that are in [begin, end)."""
    ticks = np.arange(placed.begin, last, _gap(placed), dtype=np.int64)
    return ticks[(ticks >= begin) & (ticks < end)]


def _gap(placed: Placed) -> int:
    return round(MINUTE / placed.episode.per_minute)
