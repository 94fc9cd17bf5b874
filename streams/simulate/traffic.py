"""Who signs in, when and how? Attempts, drawn around the demand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE
from streams.simulate.demand import ENV_SHARES, Demand
from streams.simulate.rows import ATTEMPT, Rows, concat
from streams.simulate.worlds.world import ENVS, METHODS, SIS, World

__all__ = ["returning", "setting_out"]


def setting_out(rng: np.random.Generator, demand: Demand, begin: int, end: int, world: World) -> Rows:
    """Draw the first attempts to sign in, in [begin, end) ms (whole minutes), of every environment."""
    return concat(
        [
            _draw(rng, _times(rng, demand, begin, end, share), env, None, world)
            for env, share in ENV_SHARES.items()
        ],
        ATTEMPT,
    )


def returning(rng: np.random.Generator, demand: Demand, begin: int, end: int, world: World) -> Rows:
    """Draw the people who come back to sis with a session, in [begin, end) ms (whole minutes)."""
    ratio = world.method_shares[SIS] * world.returning
    return concat(
        [
            _draw(rng, _times(rng, demand, begin, end, share * ratio), env, SIS, world)
            for env, share in ENV_SHARES.items()
        ],
        ATTEMPT,
    )


def _times(
    rng: np.random.Generator, demand: Demand, begin: int, end: int, share: float
) -> npt.NDArray[np.int64]:
    """Draw instants in [begin, end) ms (whole minutes), with ``share`` of the density of the demand."""
    counts = rng.poisson(demand.expected(begin, (end - begin) // MINUTE, MINUTE) * share)
    minute = np.repeat(begin + MINUTE * np.arange(len(counts), dtype=np.int64), counts)
    times: npt.NDArray[np.int64] = minute + rng.integers(0, MINUTE, len(minute))
    return times


def _draw(
    rng: np.random.Generator, t: npt.NDArray[np.int64], env: str, method: int | None, world: World
) -> Rows:
    """Draw a person for each instant ``t`` (ms), by one method, or by the shares of the methods if None."""
    size = len(t)
    rows = np.zeros(size, ATTEMPT)
    rows["t"] = t
    rows["env"] = ENVS.index(env)
    rows["method"] = _pick(rng, size, world.method_shares) if method is None else method
    for column, shares in (("csp", world.csp_shares), ("client", world.client_shares)):
        picked = np.stack([_pick(rng, size, shares[m]) for m in range(len(METHODS))])
        rows[column] = picked[rows["method"], np.arange(size)]
    rows["operation"] = _pick(rng, size, world.operation_shares)
    for position, provider in enumerate(world.providers):
        if provider.operation is not None:
            rows["operation"][rows["csp"] == position] = world.operations.index(provider.operation)
    rows["verified"] = rng.random(size) < world.verified
    # Squaring makes some people sign in often and most of them rarely.
    u = rng.random(size)
    number = (u * u * np.array(world.populations[env])[rows["csp"]]).astype(np.uint64)
    rows["person"] = (
        (rows["env"].astype(np.uint64) << np.uint64(60))
        | ((rows["csp"].astype(np.uint64) + np.uint64(1)) << np.uint64(56))
        | number
    )
    return rows


def _pick(rng: np.random.Generator, size: int, shares: tuple[float, ...]) -> npt.NDArray[np.intp]:
    edges = np.cumsum(shares)
    # The last edge is left out, so that no rounding can point past it.
    place: npt.NDArray[np.intp] = np.searchsorted(edges[:-1], rng.random(size) * edges[-1], side="right")
    return place
