"""How does the simulator hold attempts and events? As numpy records, with draws that follow from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, log
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from streams.simulate.worlds.world import SUCCESS, World

__all__ = [
    "ATTEMPT",
    "AXES",
    "EVENT",
    "NONE",
    "Rows",
    "concat",
    "events_of",
    "mix",
    "quantiles",
    "scope_mask",
    "seeded",
]

Rows = npt.NDArray[np.void]

#: The columns of the axes of a scope, in their order.
AXES = ("method", "csp", "client")

#: The value for "none" in the columns ``error``, ``cause`` and ``away``.
NONE = -1

_WHO = [
    ("t", np.int64),  # ms since the epoch
    ("env", np.uint8),  # position in ENVS of worlds.world
    ("method", np.uint8),  # position in METHODS of worlds.world
    ("csp", np.uint8),  # the person's, as a position in the world's providers, or their number for none
    ("client", np.uint8),  # the person's, as a position in the world's clients, or their number for none
    ("operation", np.uint8),  # position in the world's operations
    ("verified", np.bool_),
    ("person", np.uint64),  # the true person, whether or not an event identifies them
]
#: A person who starts to sign in at ``t`` (or comes back with a session), for the ``tries``-th time.
ATTEMPT = np.dtype([*_WHO, ("tries", np.uint8)])
#: A request that the server handled at ``t``.
EVENT = np.dtype(
    [
        *_WHO,
        ("step", np.uint8),  # position in STEPS of worlds.world; the world decides what its requests name
        ("outcome", np.uint8),  # position in OUTCOMES of worlds.world
        ("error", np.int16),  # position in errors.ERRORS, or NONE
        ("duration", np.int32),  # ms
        ("away", np.int32),  # seconds at the credential provider, or NONE
        ("flow", np.uint64),  # 0: none
        ("request", np.uint64),
        ("identified", np.bool_),
        ("cause", np.int16),  # the episode that caused the failure, or NONE
        ("ghost", np.bool_),  # would have happened, but an episode prevented it
        ("hidden", np.bool_),  # does not name the provider, though its step does
        ("arrives", np.int64),  # when the broker takes it, ms; set on delivery
        ("number", np.int64),  # unique within a simulation
    ]
)
_SHARED = [name for name, _ in _WHO]


def events_of(
    who: Rows, step: int | npt.NDArray[np.uint8], t: npt.NDArray[np.int64], flow: object = 0
) -> Rows:
    """Return successful events of the people in ``who`` (attempts or events) at the instants ``t`` (ms)."""
    rows = np.zeros(len(who), EVENT)
    for name in _SHARED:
        rows[name] = who[name]
    rows["t"] = t
    rows["step"] = step
    rows["outcome"] = SUCCESS
    rows["flow"] = flow
    rows["identified"] = True
    for name in ("error", "away", "cause"):
        rows[name] = NONE
    return rows


def concat(parts: Sequence[Rows], dtype: np.dtype[np.void]) -> Rows:
    """Join the parts in their order, a single one as it is; without parts, return an empty array of ``dtype``."""
    kept = [part for part in parts if len(part)]
    if len(kept) == 1:
        return kept[0]
    return np.concatenate(kept) if kept else np.zeros(0, dtype)


def scope_mask(rows: Rows, scope: str, world: World) -> npt.NDArray[np.bool_]:
    """Return which rows lie in a scope such as ``prod/*/idme``, by method, provider and client of their person."""
    env, values = world.leaf(scope)
    mask: npt.NDArray[np.bool_] = rows["env"] == env
    for column, value in zip(AXES, values, strict=True):
        if value is not None:
            mask &= rows[column] == value
    return mask


def seeded(*entropy: int) -> np.random.Generator:
    """Return a random number generator that is a function of the given non-negative integers alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def mix(values: npt.NDArray[np.uint64], key: int) -> npt.NDArray[np.uint64]:
    """Map 64-bit integers by a keyed bijection (splitmix64's finaliser): unique values stay unique, but scattered."""
    z = values ^ np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@lru_cache(maxsize=64)
def quantiles(median: float, sigma: float, low: float, high: float) -> npt.NDArray[np.int64]:
    """Return 4,096 equally likely values of a log-normal distribution, rounded, clipped to [low, high].

    Draws are indices into this table, so that no draw depends on how a machine rounds an exponential.
    """
    size = 4096
    normal = NormalDist()
    values = [exp(log(median) + sigma * normal.inv_cdf((i + 0.5) / size)) for i in range(size)]
    return np.array([round(min(max(v, low), high)) for v in values], dtype=np.int64)
