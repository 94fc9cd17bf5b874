"""Which five-minute records would a watch have kept of the two weeks before a simulation?

Counts are drawn directly around their expectation, which follows from the demand and the probabilities of the
traffic, without simulating people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.instants import DAY, MINUTE, SECOND, format_instant
from detectors.scopes import CSPS, LEAVES, MEMBERS, METHODS, leaf_index, scope_path
from streams.simulate.demand import ENV_SHARES, Demand
from streams.simulate.journeys import NORMAL, TIMES
from streams.simulate.rows import seeded
from streams.simulate.traffic import CSP_SHARES, METHOD_SHARES

__all__ = ["BUCKET", "LENGTH", "history"]

BUCKET = 5 * MINUTE
LENGTH = 14 * DAY

_COUNTERS = ("good", "bad", "excluded", "started", "slow", "timed")
_GOOD, _BAD, _EXCLUDED, _STARTED, _SLOW, _TIMED = range(len(_COUNTERS))
#: The duration from which on a completed request is slow, ms, per method (SLA).
_LATENCY = (2_430, 1_200)
#: The mean time between a start and its callback, ms.
_AWAY = round(float(TIMES.away.mean()) / SECOND) * SECOND


def history(seed: int, start: int, demand: Demand) -> Iterator[dict[str, Any]]:
    """Yield the records of the 14 days before ``start`` (ms), whole buckets only, in order of time, then environment.

    ``scopes`` holds the environment itself, and every narrower scope with a count above 0.
    """
    rng = seeded(seed, 2)
    end = start - start % BUCKET
    begin = end - LENGTH
    bins = LENGTH // BUCKET
    at_start = demand.expected(begin, bins, BUCKET)
    at_callback = demand.expected(begin - _AWAY, bins, BUCKET)
    counts = {env: _scopes(rng, at_start * share, at_callback * share) for env, share in ENV_SHARES.items()}
    for i in range(bins):
        at = format_instant(begin + i * BUCKET)
        for env, of_env in counts.items():
            row = of_env[i]
            kept = [0, *np.flatnonzero(row[1:].any(axis=1)) + 1]
            scopes = {scope_path(env, s): dict(zip(_COUNTERS, row[s].tolist(), strict=True)) for s in kept}
            yield {"env": env, "at": at, "scopes": scopes}


def _scopes(
    rng: np.random.Generator, at_start: npt.NDArray[np.float64], at_callback: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Draw the counts (bin, scope, counter) of one environment."""
    leaves = np.zeros((len(at_start), len(LEAVES), len(_COUNTERS)), dtype=np.int64)
    for m, method in enumerate(METHODS):
        for c, csp in enumerate(CSPS):
            leaf = leaves[:, leaf_index(method, csp)]
            attempts = METHOD_SHARES[m] * CSP_SHARES[m][c] * _tries(m, c)
            refused = NORMAL.bad_request if method == "sis" else 0.0
            returned = attempts * (1 - refused) * NORMAL.returns
            user_error, bad = _callback_chances(m, c)
            leaf[:, _STARTED] = rng.poisson(at_start * attempts * (1 - refused))
            leaf[:, _EXCLUDED] = rng.poisson(at_callback * returned * user_error)
            leaf[:, _EXCLUDED] += rng.poisson(at_start * attempts * refused)
            leaf[:, _BAD] = rng.poisson(at_callback * returned * bad)
            leaf[:, _GOOD] = rng.poisson(at_callback * returned * (1 - user_error - bad))
            _time(rng, leaf, _over(TIMES.callback[m], m))
    # Tokens carry no credential provider.
    sis = METHODS.index("sis")
    authorized = leaves[:, [leaf_index("sis", csp) for csp in CSPS], _GOOD].sum(axis=1)
    tokens = leaves[:, leaf_index("sis", None)]
    tokens[:, _BAD] = rng.binomial(authorized, NORMAL.token_bad)
    tokens[:, _GOOD] = authorized - tokens[:, _BAD]
    _time(rng, tokens, _over(TIMES.token, sis))
    scopes: npt.NDArray[np.int64] = np.einsum("sl,blc->bsc", MEMBERS.astype(np.int64), leaves)
    return scopes


def _time(rng: np.random.Generator, leaf: npt.NDArray[np.int64], slow: float) -> None:
    """Set how many completed requests were timed (all of them) and slow, in place."""
    leaf[:, _TIMED] = leaf[:, _GOOD] + leaf[:, _BAD]
    leaf[:, _SLOW] = rng.binomial(leaf[:, _TIMED], slow)


def _over(table: npt.NDArray[np.int64], method: int) -> float:
    return float(np.mean(table >= _LATENCY[method]))


def _callback_chances(method: int, csp: int) -> tuple[float, float]:
    """Return the probabilities that a callback fails with a user error, and with a server error.

    As in the traffic, a callback that would fail with both fails with the server error.
    """
    user_error = NORMAL.user_error[method][csp]
    return user_error * (1 - NORMAL.callback_bad), NORMAL.callback_bad


def _tries(method: int, csp: int) -> float:
    """Return the mean number of attempts per person: people who fail may try again."""
    user_error, bad = _callback_chances(method, csp)
    again = NORMAL.returns * (user_error * NORMAL.retry_user_error + bad * NORMAL.retry_bad)
    return 1 / (1 - again)
