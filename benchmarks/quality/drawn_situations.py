"""Which random situations are hard to judge? Axes, moves, second outages, steps, shortfalls, waits, clocks and bots.

Kind, scope, share, steepness, length and time of day are drawn independently, as far as they make sense together. The
world is today's, with both methods in use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.instants import MINUTE, SECOND
from streams.simulate.episodes import Episode
from streams.simulate.library.situations import BOTH
from streams.simulate.rows import seeded
from streams.simulate.scenario import Scenario

__all__ = ["KINDS_DRAWN", "draw_situation"]

_STREAM = 14
_CALLBACK = ("callback",)
_AT = 10 * MINUTE
#: Times of day, Eastern: the busy hours, the evening, a Saturday.
_TIMES = ("2026-10-06T14:00:00-04:00", "2026-10-06T20:00:00-04:00", "2026-10-03T14:00:00-04:00")
#: Scopes of one, two and three axes.
_SCOPES = (
    *("prod/ssoe", "prod/sis", "prod/*/idme", "prod/*/logingov", "prod/*/*/vaweb", "prod/*/*/vamobile"),
    *(
        "prod/ssoe/idme",
        "prod/sis/logingov",
        "prod/sis/*/vaweb",
        "prod/sis/*/vamobile",
        "prod/sis/idme/vaweb",
    ),
)
_MOVES = (
    *(
        ("prod/ssoe", "sis"),
        ("prod/sis", "ssoe"),
        ("prod/*/logingov", "*/idme"),
        ("prod/*/idme", "*/logingov"),
    ),
    *(("prod/*/*/vaweb", "*/*/vamobile"), ("prod/sis/*/vamobile", "*/*/vaweb")),
)
#: A first outage, and a second one that begins inside it with people of its own.
_SECONDS = (
    ("prod/*/idme", "prod/sis/logingov"),
    ("prod/ssoe/idme", "prod/sis"),
    ("prod/*/logingov", "prod/ssoe/idme"),
    ("prod/sis/*/vamobile", "prod/ssoe"),
)

_Draw = Callable[[np.random.Generator], tuple[Episode, ...]]


def _lasts(rng: np.random.Generator, least: int = 20, most: int = 45) -> int:
    return int(rng.integers(least * MINUTE, most * MINUTE))


def _failing(
    scope: str, at: int, lasts: int, share: float, stages: tuple[tuple[int, float], ...] = ()
) -> Episode:
    errors = "ssoe_down" if scope.count("/") == 1 else "csp_down"
    return Episode(
        effect="failure",
        scope=scope,
        at=at,
        lasts=lasts,
        share=share,
        stages=stages,
        steps=_CALLBACK,
        errors=errors,
    )


def _axis(rng: np.random.Generator) -> tuple[Episode, ...]:
    scope = _SCOPES[rng.integers(len(_SCOPES))]
    return (_failing(scope, _AT, _lasts(rng), float(rng.uniform(0.5, 1.0))),)


def _second(rng: np.random.Generator) -> tuple[Episode, ...]:
    first, second = _SECONDS[rng.integers(len(_SECONDS))]
    later = int(rng.integers(5 * MINUTE, 25 * MINUTE))
    lasts = _lasts(rng, 15, 25)
    return _failing(first, _AT, later + lasts + 10 * MINUTE, 1.0), _failing(second, _AT + later, lasts, 1.0)


def _steps(rng: np.random.Generator) -> tuple[Episode, ...]:
    scope = _SCOPES[rng.integers(6)]
    lasts = _lasts(rng, 30, 45)
    falls = sorted(rng.uniform(0.02, 0.9, 3).tolist(), reverse=True)
    stages = tuple((round(lasts * part), share) for part, share in zip((0.4, 0.6, 0.8), falls, strict=True))
    return (_failing(scope, _AT, lasts, 1.0, stages),)


def _move(rng: np.random.Generator) -> tuple[Episode, ...]:
    scope, to = _MOVES[rng.integers(len(_MOVES))]
    rise = int(np.exp(rng.uniform(np.log(MINUTE), np.log(80 * MINUTE))))
    share = float(rng.uniform(0.5, 1.0))
    return (
        Episode(
            effect="shift",
            scope=scope,
            at=_AT,
            lasts=90 * MINUTE,
            share=share,
            rise=rise,
            to=to,
            about=scope,
            label="noticed",
        ),
    )


def _shortfall(rng: np.random.Generator) -> tuple[Episode, ...]:
    scope = ("prod", "prod/ssoe", "prod/sis", "prod/*/idme")[rng.integers(4)]
    share = float(rng.uniform(0.55, 0.95))
    return (Episode(effect="silence", scope=scope, at=_AT, lasts=_lasts(rng), share=share),)


def _wait(rng: np.random.Generator) -> tuple[Episode, ...]:
    longer = int(rng.integers(MINUTE, 4 * MINUTE))
    scope = ("prod/*/idme", "prod/*/logingov", "prod/ssoe")[rng.integers(3)]
    return (
        Episode(
            effect="wait",
            scope=scope,
            at=_AT,
            lasts=_lasts(rng),
            delay=(longer, longer + 10 * SECOND),
            label="none",
        ),
    )


def _clock(rng: np.random.Generator) -> tuple[Episode, ...]:
    scope = ("prod/ssoe", "prod/sis/*/vamobile", "prod/*/logingov")[rng.integers(3)]
    skew = -int(rng.integers(30 * SECOND, 20 * MINUTE))
    return (Episode(effect="clock", scope=scope, at=_AT, lasts=_lasts(rng), skew=skew, label="noticed"),)


def _bots(rng: np.random.Generator) -> tuple[Episode, ...]:
    return (
        Episode(
            effect="bot",
            scope=("prod/sis/idme", "prod/ssoe/logingov")[rng.integers(2)],
            at=_AT,
            lasts=_lasts(rng),
            steps=_CALLBACK,
            errors="csp_down",
            per_minute=float(rng.uniform(1, 4)),
            identified=bool(rng.integers(2)),
            label="noticed",
        ),
    )


#: What is drawn, by name; each is as likely as any other.
KINDS_DRAWN: dict[str, _Draw] = {
    "axis": _axis,
    "second": _second,
    "steps": _steps,
    "move": _move,
    "shortfall": _shortfall,
    "wait": _wait,
    "clock": _clock,
    "bots": _bots,
}


def draw_situation(seed: int) -> Scenario:
    """Return the situation of a seed, a function of the seed that already has drawn lengths."""
    rng = seeded(seed, _STREAM)
    kind = list(KINDS_DRAWN)[rng.integers(len(KINDS_DRAWN))]
    episodes = KINDS_DRAWN[kind](rng)
    end = max(episode.at + episode.lasts for episode in episodes)
    return Scenario(
        name=f"situation_{seed}",
        description=f"{kind}: " + " and ".join(f"{one.effect} of {one.scope}" for one in episodes),
        episodes=episodes,
        starts=_TIMES[rng.integers(len(_TIMES))],
        duration=-(-end // MINUTE) * MINUTE + (50 * MINUTE if kind != "move" else 0),
        world=BOTH,
        is_stamped=kind == "clock",
    )
