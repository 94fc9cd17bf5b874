"""Which random situations test detection beyond the scenarios of the library?

Effect, scope, steps, share, steepness, length and time of day are drawn independently, as far as they make
sense together; sometimes nothing goes wrong, sometimes two unrelated things at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from detectors.instants import HOUR, MINUTE
from streams.simulate.episodes import Effect, Episode
from streams.simulate.rows import seeded
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS

__all__ = ["draw"]

_Choice = TypeVar("_Choice")
_STREAM = 8
#: Scenarios whose time of day is used, with their probabilities.
_TIMES = (
    ("ssoe_outage", 0.55),
    ("ssoe_outage_evening", 0.15),
    ("ssoe_outage_weekend", 0.1),
    ("ssoe_outage_holiday", 0.1),
    ("ssoe_outage_night", 0.1),
)
_EFFECTS: tuple[tuple[Effect, float], ...] = (
    ("failure", 0.62),
    ("silence", 0.12),
    ("no_return", 0.1),
    ("slow", 0.06),
    ("surge", 0.1),
)
#: Scopes that an effect may have. Few people use mhv and dslogon: their silence cannot be distinguished from chance.
_SCOPES: dict[Effect, tuple[str, ...]] = {
    "failure": (
        *("prod", "prod/ssoe", "prod/ssoe", "prod/sis", "prod/sis"),
        *("prod/*/idme", "prod/*/logingov", "prod/*/mhv", "prod/*/dslogon"),
        *("prod/ssoe/idme", "prod/ssoe/logingov", "prod/ssoe/mhv", "prod/ssoe/dslogon"),
        *("prod/sis/idme", "prod/sis/logingov", "staging/ssoe", "staging/sis"),
    ),
    "silence": ("prod", "prod/ssoe", "prod/sis", "prod/*/idme", "prod/*/logingov", "prod/ssoe/idme"),
    "no_return": ("prod", "prod/ssoe", "prod/sis", "prod/*/idme", "prod/*/logingov", "prod/ssoe/logingov"),
    "slow": ("prod", "prod/ssoe", "prod/sis"),
    "surge": ("prod", "prod/ssoe", "prod/sis", "prod/*/logingov"),
}
#: Two scopes without a common leaf, and without a common provider or method that would explain both.
_PAIRS = (
    ("prod/ssoe/logingov", "prod/sis/idme"),
    ("prod/ssoe/idme", "prod/sis/logingov"),
    ("prod/*/mhv", "prod/sis/idme"),
    ("prod/*/idme", "prod/*/logingov"),
)
_CALLBACK = ("callback",)


def draw(seed: int) -> Scenario:
    """Return the situation of a seed, a function of the seed that already has drawn lengths and a drawn rate."""
    rng = seeded(seed, _STREAM)
    base = SCENARIOS[_pick(rng, _TIMES)]
    night = base.name.endswith("night")
    healthy = rng.random() < 0.1
    if healthy:
        episodes: tuple[Episode, ...] = ()
    elif rng.random() < 0.12 and not night:
        second = int(rng.integers(2 * MINUTE, 8 * MINUTE))
        one, other = _PAIRS[rng.integers(len(_PAIRS))]
        episodes = (_failure(rng, one, 10 * MINUTE, 1.0), _failure(rng, other, 10 * MINUTE + second, 1.0))
    else:
        episodes = (_one(rng, night),)
    end = max((episode.at + episode.lasts for episode in episodes), default=HOUR)
    back = 50 if any(episode.effect in ("no_return", "surge") for episode in episodes) else 25
    return replace(
        base,
        name=f"drawn_{seed}",
        description=" and ".join(map(_told, episodes)) or "Nothing goes wrong.",
        episodes=episodes,
        duration=end + back * MINUTE,
    )


def _one(rng: np.random.Generator, night: bool) -> Episode:
    effect = _pick(rng, _EFFECTS) if not night else "failure"
    scopes = _SCOPES[effect]
    scope = scopes[rng.integers(len(scopes))]
    at = 10 * MINUTE
    if effect == "failure":
        return _failure(rng, "prod/ssoe" if night else scope, at, None)
    lasts = int(rng.integers(20 * MINUTE, 50 * MINUTE))
    if effect == "slow":
        factor = rng.uniform(5, 12)
        return Episode(
            effect=effect,
            scope=scope,
            at=at,
            lasts=lasts,
            steps=("callback", "token"),
            factor=factor,
            label="noticed",
        )
    if effect == "surge":
        return Episode(
            effect=effect,
            scope=scope,
            at=at,
            lasts=lasts,
            share=rng.uniform(0.25, 0.6),
            steps=_CALLBACK,
            errors=("too_late", "user_errors")[rng.integers(2)],
            label="noticed",
        )
    return Episode(effect=effect, scope=scope, at=at, lasts=lasts)


def _failure(rng: np.random.Generator, scope: str, at: int, share: float | None) -> Episode:
    """Draw a failure of a share of a scope's requests; of all requests if ``share`` is 1."""
    if share is None:
        share = 1.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(np.log(0.08), np.log(0.9))))
    steps: tuple[str, ...] = _CALLBACK
    errors = "ssoe_down"
    if scope.startswith("prod/*") or scope.count("/") == 2:
        errors = "csp_down"
    elif scope.endswith("/sis"):
        choices = (_CALLBACK, ("token",), ("refresh",), ("authorize", "callback", "token", "refresh"))
        steps, errors = choices[rng.integers(len(choices))], "sis_down"
    elif scope == "prod":
        errors = "mpi_down"
    ramp = share == 1.0 and rng.random() < 0.15
    return Episode(
        effect="failure",
        scope=scope,
        at=at,
        lasts=int(rng.integers(12 * MINUTE, 55 * MINUTE)) + (30 * MINUTE if share < 0.3 else 0),
        share=share,
        rise=int(rng.integers(3 * MINUTE, 12 * MINUTE)) if ramp else 0,
        steps=steps,
        errors=errors,
    )


def _told(episode: Episode) -> str:
    share = "all" if episode.share == 1 else f"{episode.share:.0%}"
    steps = "" if len(episode.steps) > 4 else f" at {', '.join(episode.steps)}"
    ramp = f", rising over {episode.rise / MINUTE:.0f} min" if episode.rise else ""
    minutes = round(episode.lasts / MINUTE)
    return f"{episode.effect} of {share} of {episode.scope}{steps} for {minutes} min{ramp}"


def _pick(rng: np.random.Generator, choices: Sequence[tuple[_Choice, float]]) -> _Choice:
    edges = np.cumsum([chance for _, chance in choices])
    return choices[int(np.searchsorted(edges[:-1], rng.random() * edges[-1], side="right"))][0]
