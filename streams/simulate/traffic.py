"""Who signs in, when and how? Attempts, drawn around the demand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE
from detectors.scopes import ENVS, METHODS
from streams.simulate.demand import ENV_SHARES, Demand
from streams.simulate.rows import ATTEMPT, Rows, concat

__all__ = [
    "CLIENTS",
    "CSP_SHARES",
    "METHOD_SHARES",
    "OPERATIONS",
    "RETURNING_PER_SIGN_IN",
    "returning",
    "setting_out",
]

#: Web sign-ins use ssoe, mobile sign-ins use sis.
METHOD_SHARES = (0.70, 0.30)
#: Shares per method, in the order of the csp axis; about 45, 40, 8 and 7 % over both methods.
CSP_SHARES = ((0.43, 0.39, 0.10, 0.08), (0.50, 0.43, 0.04, 0.03))
#: The number of people who open the mobile app with a session from an earlier day, for each one who signs in: their
#: tokens are refreshed without a sign-in, which is most of the traffic.
RETURNING_PER_SIGN_IN = 3.0

#: (client_id, direction). A sign-in that began on another site is inbound.
CLIENTS = (
    ("vaweb", "outbound"),
    ("mhv", "inbound"),
    ("myvahealth", "inbound"),
    ("ebenefits", "inbound"),
    ("vaoccmobile", "outbound"),
    ("vamobile", "outbound"),
)
_CLIENT_SHARES = ((0.84, 0.07, 0.05, 0.02, 0.02, 0.0), (0.10, 0.0, 0.0, 0.0, 0.0, 0.90))
OPERATIONS = ("authorize", "authorize_sso", "interstitial_verify")
_OPERATION_SHARES = (0.90, 0.04, 0.06)
_VERIFIED = 0.92

#: People with an account, per environment and credential provider: veterans, and testers.
_POPULATION = {
    "prod": (2_000_000, 1_800_000, 350_000, 300_000),
    "staging": (120, 100, 40, 40),
    "dev": (12, 10, 4, 4),
}


def setting_out(rng: np.random.Generator, demand: Demand, begin: int, end: int) -> Rows:
    """Draw the first attempts to sign in, in [begin, end) ms (whole minutes), of every environment."""
    return concat([_draw(rng, demand, begin, end, env, None) for env in ENV_SHARES], ATTEMPT)


def returning(rng: np.random.Generator, demand: Demand, begin: int, end: int) -> Rows:
    """Draw the people who come back to the mobile app with a session, in [begin, end) ms (whole minutes)."""
    return concat([_draw(rng, demand, begin, end, env, METHODS.index("sis")) for env in ENV_SHARES], ATTEMPT)


def _draw(
    rng: np.random.Generator, demand: Demand, begin: int, end: int, env: str, method: int | None
) -> Rows:
    share = ENV_SHARES[env] * (1.0 if method is None else METHOD_SHARES[method] * RETURNING_PER_SIGN_IN)
    counts = rng.poisson(demand.expected(begin, (end - begin) // MINUTE, MINUTE) * share)
    size = int(counts.sum())
    rows = np.zeros(size, ATTEMPT)
    minute = np.repeat(begin + MINUTE * np.arange(len(counts), dtype=np.int64), counts)
    rows["t"] = minute + rng.integers(0, MINUTE, size)
    rows["env"] = ENVS.index(env)
    rows["method"] = _pick(rng, size, METHOD_SHARES) if method is None else method
    for column, shares in (("csp", CSP_SHARES), ("client", _CLIENT_SHARES)):
        picked = np.stack([_pick(rng, size, shares[m]) for m in range(len(METHODS))])
        rows[column] = picked[rows["method"], np.arange(size)]
    rows["operation"] = _pick(rng, size, _OPERATION_SHARES)
    rows["verified"] = rng.random(size) < _VERIFIED
    # Squaring makes some people sign in often and most of them rarely.
    u = rng.random(size)
    number = (u * u * np.array(_POPULATION[env])[rows["csp"]]).astype(np.uint64)
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
