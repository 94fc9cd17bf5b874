"""What goes wrong in a simulation? Episodes as data (effect, scope, time, share), and their effect on events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE
from detectors.scopes import CSPS, ENVS, METHODS, STEPS, scope_index
from streams.simulate.errors import MIXES
from streams.simulate.rows import ATTEMPT, FAILURE, NONE, Rows, concat, scope_mask

__all__ = ["BOT", "Effect", "Episode", "Placed", "Troubles"]

Effect = Literal[
    "failure",  # requests fail with a server error
    "surge",  # requests fail with a user error
    "silence",  # events do not arrive at all
    "no_return",  # people start and never come back from the credential provider
    "slow",  # requests take ``factor`` times as long
    "shift",  # web sign-ins that would take ssoe take sis (fail-over)
    "bot",  # one identity tries ``per_minute`` times a minute and fails each time
    "late",  # events are delivered ``delay`` ms after the others
    "duplicate",  # events are delivered twice, the second copy ``delay`` ms later
]
_DELIVERY: tuple[Effect, ...] = ("late", "duplicate")
#: The identity of all bots.
BOT = np.uint64(0xB07)


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
        steps: the steps that are affected (by failure, surge, slow, silence, late, duplicate).
        errors: name of the mix of errors (``errors.MIXES``) for failure, surge and bot.
        factor: factor of the durations for slow.
        per_minute: tries per minute for bot.
        delay: least and greatest delay, ms, for late and duplicate.
        label: how the truth lists the episode: "wakes" (if enough people are impacted), "noticed" (wakes nobody),
            "either" (a page is allowed), "none" (not listed).

    Raises:
        ValueError: the scope, a step or the mix of errors is unknown, or a number is out of range.
    """

    effect: Effect
    scope: str
    at: int = 10 * MINUTE
    lasts: int = 25 * MINUTE
    share: float = 1.0
    rise: int = 0
    flapping: tuple[int, int] | None = None
    steps: tuple[str, ...] = STEPS
    errors: str = "ssoe_down"
    factor: float = 1.0
    per_minute: float = 0.0
    delay: tuple[int, int] = (0, 0)
    label: Literal["wakes", "noticed", "either", "none"] = "wakes"

    def __post_init__(self) -> None:
        try:
            scope_index(self.scope)
        except KeyError:
            raise ValueError(f"no scope {self.scope!r}") from None
        if self.errors not in MIXES or not set(self.steps) <= set(STEPS):
            raise ValueError(f"no such errors or steps: {self.errors!r}, {self.steps!r}")
        if not 0 <= self.share <= 1 or self.lasts <= 0 or self.rise < 0 or self.factor <= 0:
            raise ValueError("an episode has a share of 0 to 1, and lasts and stretches by more than 0")
        if not 0 <= self.delay[0] <= self.delay[1] or (self.flapping and min(self.flapping) <= 0):
            raise ValueError(
                "a delay goes from least to greatest, and flapping is on and off for a while each"
            )
        if self.effect == "bot" and (self.per_minute <= 0 or "*" in self.scope or self.scope.count("/") != 2):
            raise ValueError("a bot tries now and then, with one method and one credential provider")


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
        if episode.rise:
            share *= np.clip(passed / episode.rise, 0.0, 1.0)
        if episode.flapping:
            on, off = episode.flapping
            share *= passed % (on + off) < on
        return share

    def overlaps(self, t: npt.NDArray[np.int64]) -> bool:
        """Return whether any instant (ms) of a non-empty array lies in the episode."""
        return bool(len(t)) and int(t.max()) >= self.begin and int(t.min()) < self.end

    def hits(self, rng: np.random.Generator, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which rows the episode affects: rows in its scope, at its steps, drawn with its share."""
        mask = scope_mask(rows, self.episode.scope)
        if self.episode.steps != STEPS and "step" in (rows.dtype.names or ()):
            mask &= np.isin(rows["step"], [STEPS.index(step) for step in self.episode.steps])
        if self.episode.effect == "bot":
            mask &= rows["person"] == BOT
        mask &= rng.random(len(rows)) < self.intensity(rows["t"])
        return mask


class Troubles:
    """All episodes of a simulation that starts at ``start`` (ms)."""

    def __init__(self, episodes: Sequence[Episode], start: int) -> None:
        self.placed = tuple(
            Placed(i, e, start + e.at, start + e.at + e.lasts) for i, e in enumerate(episodes)
        )

    def _of(self, t: npt.NDArray[np.int64], *effects: Effect) -> list[Placed]:
        return [p for p in self.placed if p.episode.effect in effects and p.overlaps(t)]

    def fail(self, rng: np.random.Generator, rows: Rows) -> None:
        """Turn affected events into failures, in place; the first episode that affects an event is its cause."""
        for placed in self._of(rows["t"], "failure", "surge", "bot"):
            hit = np.flatnonzero(placed.hits(rng, rows) & (rows["cause"] == NONE))
            mix = MIXES[placed.episode.errors]
            rows["error"][hit] = mix.draw(rng, len(hit))
            rows["outcome"][hit] = FAILURE
            rows["cause"][hit] = placed.index
            # a bot is recognised by its identity; without it, each try would count as another person
            known = 1.0 if placed.episode.effect == "bot" else mix.identified
            rows["identified"][hit] = rng.random(len(hit)) < known

    def slow(self, rng: np.random.Generator, rows: Rows) -> None:
        """Multiply the durations of affected events, in place."""
        for placed in self._of(rows["t"], "slow"):
            hit = np.flatnonzero(placed.hits(rng, rows))
            stretched = rows["duration"][hit] * placed.episode.factor
            # The gateway gives up after a minute.
            rows["duration"][hit] = np.minimum(np.rint(stretched), MINUTE)
            rows["cause"][hit] = np.where(rows["cause"][hit] == NONE, placed.index, rows["cause"][hit])

    def withhold(self, rng: np.random.Generator, rows: Rows, effect: Literal["silence", "no_return"]) -> None:
        """Turn affected events into ghosts, which do not arrive, in place."""
        for placed in self._of(rows["t"], effect):
            hit = np.flatnonzero(placed.hits(rng, rows) & ~rows["ghost"])
            rows["ghost"][hit] = True
            rows["cause"][hit] = placed.index

    def divert(self, rng: np.random.Generator, attempts: Rows) -> None:
        """Send affected sign-ins through sis, in place."""
        for placed in self._of(attempts["t"], "shift"):
            attempts["method"][placed.hits(rng, attempts)] = METHODS.index("sis")

    def delays(
        self, rng: np.random.Generator, rows: Rows
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the delay of each event (ms), the positions of events sent twice, and the copies' delays (ms)."""
        delay = np.zeros(len(rows), dtype=np.int64)
        twice: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        after: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        for placed in self._of(rows["t"], *_DELIVERY):
            hit = np.flatnonzero(placed.hits(rng, rows))
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

    def bots(self, begin: int, end: int) -> Rows:
        """Return the bots' attempts to sign in, in [begin, end) ms."""
        parts = []
        for placed in self.placed:
            if placed.episode.effect != "bot":
                continue
            gap = round(MINUTE / placed.episode.per_minute)
            # The last attempt returns from the credential provider before the episode ends.
            ticks = np.arange(placed.begin, placed.end - 2 * MINUTE, gap, dtype=np.int64)
            ticks = ticks[(ticks >= begin) & (ticks < end)]
            rows = np.zeros(len(ticks), ATTEMPT)
            rows["t"] = ticks
            rows["env"], rows["method"], rows["csp"] = _leaf(placed.episode.scope)
            rows["person"] = BOT
            rows["tries"] = np.iinfo(np.uint8).max  # a bot tries at fixed intervals instead of retrying
            parts.append(rows)
        return concat(parts, ATTEMPT)


def _leaf(scope: str) -> tuple[int, int, int]:
    """Return the positions of env, method and csp of a scope that names all three."""
    env, method, csp = scope.split("/")
    return ENVS.index(env), METHODS.index(method), CSPS.index(csp)
