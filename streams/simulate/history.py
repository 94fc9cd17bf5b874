"""Which five-minute records would a watch have kept of the two weeks before a simulation?

Counts are drawn directly around their expectation, which follows from the demand and the probabilities of the
traffic, without simulating people. The world decides the form of the records: form 1 has counts of sign-in by scope
of method and provider; form 2 has counts of sign-in and of sessions by leaf, with clients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.axes import contains, path_of
from detectors.instants import DAY, MINUTE, SECOND, format_instant
from streams.simulate.demand import ENV_SHARES, Demand
from streams.simulate.journeys import TIMES
from streams.simulate.rows import seeded
from streams.simulate.scenario import Past
from streams.simulate.worlds.world import METHODS, SIS, World

__all__ = ["BUCKET", "LENGTH", "history"]

BUCKET = 5 * MINUTE
LENGTH = 14 * DAY

Counts = npt.NDArray[np.int64]
Expected = npt.NDArray[np.float64]

_COUNTERS = ("good", "bad", "excluded", "started", "slow", "timed")
_GOOD, _BAD, _EXCLUDED, _STARTED, _SLOW, _TIMED = range(len(_COUNTERS))
_NOTHING = [0] * len(_COUNTERS)
#: The duration from which on a completed request is slow, ms, per method (SLA).
_LATENCY = (2_430, 1_200)
#: The mean time between a start and its callback, ms.
_AWAY = round(float(TIMES.away.mean()) / SECOND) * SECOND
#: Sessions end within this many buckets.
_LONGEST = int(TIMES.session.max()) // BUCKET + 1


def history(
    seed: int,
    start: int,
    demand: Demand,
    world: World,
    past: Sequence[Past] = (),
    *,
    length: int = LENGTH,
) -> Iterator[dict[str, Any]]:
    """Yield the records of the days before ``start`` (ms), whole buckets only, in order of time, then environment.

    In form 1 ``scopes`` holds the environment itself, and every narrower scope with a count above 0; in form 2
    ``leaves`` holds every leaf with a count above 0.

    Args:
        seed: of the random numbers.
        start: ms.
        demand: the sign-ins that were wanted.
        world: by which methods, providers and clients.
        past: what was unusual.
        length: of the time that has records, ms; it may be 0.
    """
    rng = seeded(seed, 2)
    end = start - start % BUCKET
    bins = length // BUCKET
    if not bins:
        return
    unusual = _Unusual(seeded(seed, 13), end - bins * BUCKET, bins, start, past)
    form = _by_scope if world.history_form == 1 else _by_leaf
    yield from form(rng, end - bins * BUCKET, bins, demand, world, unusual)


class _Unusual:
    """Applies what was unusual to drawn counts.

    Args:
        rng: random numbers of its own, so that all else is as it would have been.
        begin: start of the first bin, ms.
        bins: how many bins there are.
        start: the instant from which the past is counted, ms.
        past: what was unusual.
    """

    def __init__(
        self, rng: np.random.Generator, begin: int, bins: int, start: int, past: Sequence[Past]
    ) -> None:
        self._rng = rng
        at = begin + BUCKET * np.arange(bins, dtype=np.int64)
        self._when = [
            (one, (at >= start - one.ago) & (at + BUCKET <= start - one.ago + one.lasts)) for one in past
        ]

    def apply(self, env: str, axes: Mapping[str, str], counts: Counts) -> None:
        """Change the counts (bin, counter) of one leaf, in place."""
        path = path_of(env, (axes.get(axis, "*") for axis in ("auth_method", "csp", "client_id")))
        for one, when in self._when:
            if not contains(one.scope, path):
                continue
            if one.share < 1:
                counts[when] = self._rng.binomial(counts[when], one.share)
                counts[when, _TIMED] = counts[when, _GOOD] + counts[when, _BAD]
                counts[when, _SLOW] = np.minimum(counts[when, _SLOW], counts[when, _TIMED])
            if one.bad:
                failed = self._rng.binomial(counts[when, _GOOD], one.bad)
                counts[when, _GOOD] -= failed
                counts[when, _BAD] += failed

    def excluded(self, env: str, i: int) -> list[str]:
        """Return the scopes that an incident covered in a bin."""
        covered = (one.scope for one, when in self._when if one.excluded and when[i])
        return sorted({scope for scope in covered if scope.partition("/")[0] == env})

    def is_lost(self, env: str, i: int) -> bool:
        """Whether a bin has no record."""
        lost = (one.scope for one, when in self._when if one.is_lost and when[i])
        return any(scope.partition("/")[0] == env for scope in lost)


# -- form 1: by scope ---------------------------------------------------------------------------------------------


def _by_scope(
    rng: np.random.Generator, begin: int, bins: int, demand: Demand, world: World, unusual: _Unusual
) -> Iterator[dict[str, Any]]:
    at_start = demand.expected(begin, bins, BUCKET)
    at_callback = demand.expected(begin - _AWAY, bins, BUCKET)
    leaves = _leaf_names(world)
    paths, members = _scopes_of(leaves, world)
    counts = {}
    for env, share in ENV_SHARES.items():
        of_leaves = _leaf_counts(rng, at_start * share, at_callback * share, world)
        for n, (method, csp) in enumerate(leaves):
            axes = {"auth_method": method} | ({"csp": csp} if csp else {})
            unusual.apply(env, axes, of_leaves[:, n])
        counts[env] = np.einsum("sl,blc->bsc", members, of_leaves)
    for i in range(bins):
        at = format_instant(begin + i * BUCKET)
        for env, of_env in counts.items():
            if unusual.is_lost(env, i):
                continue
            row = of_env[i]
            kept = [0, *np.flatnonzero(row[1:].any(axis=1)) + 1]
            scopes = {
                f"{env}/{paths[s]}" if paths[s] else env: dict(zip(_COUNTERS, row[s].tolist(), strict=True))
                for s in kept
            }
            excluded = unusual.excluded(env, i)
            yield {"env": env, "at": at, "scopes": scopes} | ({"excluded": excluded} if excluded else {})


def _leaf_names(world: World) -> list[tuple[str, str | None]]:
    """Return (method, provider or None) of each leaf; the leaf without a provider comes first in each method."""
    return [(method, csp) for method in METHODS for csp in (None, *(one.name for one in world.providers))]


def _scopes_of(leaves: list[tuple[str, str | None]], world: World) -> tuple[list[str], Counts]:
    """Return the paths of all scopes below an environment ("" is the environment) and their leaves (scope, leaf)."""
    names = [one.name for one in world.providers]
    paths = ["", *METHODS, *(f"*/{c}" for c in names), *(f"{m}/{c}" for m in METHODS for c in names)]
    members = np.zeros((len(paths), len(leaves)), dtype=np.int64)
    for s, path in enumerate(paths):
        method, _, csp = path.partition("/")
        for i, leaf in enumerate(leaves):
            members[s, i] = method in ("", "*", leaf[0]) and csp in ("", leaf[1])
    return paths, members


def _leaf_counts(rng: np.random.Generator, at_start: Expected, at_callback: Expected, world: World) -> Counts:
    """Draw the counts of sign-in (bin, leaf, counter) of one environment, by method and provider."""
    chances = world.chances
    size = 1 + len(world.providers)
    leaves = np.zeros((len(at_start), len(METHODS) * size, len(_COUNTERS)), dtype=np.int64)
    for m in range(len(METHODS)):
        for c in range(len(world.providers)):
            attempts = world.method_shares[m] * world.csp_shares[m][c] * _tries(world, m, c)
            refused = chances.bad_request if m == SIS else 0.0
            _draw_leaf(
                rng, leaves[:, m * size + 1 + c], (at_start, at_callback), attempts, (refused, m, c), world
            )
    # Tokens carry no credential provider.
    authorized = leaves[:, SIS * size + 1 :, _GOOD].sum(axis=1)
    _draw_tokens(rng, leaves[:, SIS * size], authorized, world)
    return leaves


# -- form 2: by leaf ----------------------------------------------------------------------------------------------


class _Leaf(NamedTuple):
    """Counts of one leaf, each (bin, counter); None where the leaf has none."""

    axes: dict[str, str]
    sign_in: Counts | None
    session: Counts | None


def _by_leaf(
    rng: np.random.Generator, begin: int, bins: int, demand: Demand, world: World, unusual: _Unusual
) -> Iterator[dict[str, Any]]:
    at_start = demand.expected(begin, bins, BUCKET)
    at_callback = demand.expected(begin - _AWAY, bins, BUCKET)
    back = [demand.expected(begin - k * BUCKET, bins, BUCKET) for k in range(_LONGEST + 1)]
    signed = [demand.expected(begin - _AWAY - k * BUCKET, bins, BUCKET) for k in range(_LONGEST + 1)]
    leaves: dict[str, list[_Leaf]] = {}
    for env, share in ENV_SHARES.items():
        sign_in, authorized = _sign_in_leaves(rng, at_start * share, at_callback * share, world)
        sessions = _session_leaves(rng, [one * share for one in back], [one * share for one in signed], world)
        tokens = np.zeros((bins, len(_COUNTERS)), dtype=np.int64)
        _draw_tokens(rng, tokens, authorized, world)
        leaves[env] = [*sign_in, _Leaf({"auth_method": METHODS[SIS]}, tokens, sessions[SIS])]
        leaves[env] += [
            _Leaf({"auth_method": METHODS[m]}, None, one) for m, one in enumerate(sessions) if m != SIS
        ]
        for leaf in leaves[env]:
            for counts in (leaf.sign_in, leaf.session):
                if counts is not None:
                    unusual.apply(env, leaf.axes, counts)
    for i in range(bins):
        at = format_instant(begin + i * BUCKET)
        for env, of_env in leaves.items():
            if unusual.is_lost(env, i):
                continue
            kept = [_shown(leaf, i) for leaf in of_env if _counts_any(leaf, i)]
            yield {"v": 2, "env": env, "at": at, "leaves": kept, "excluded": unusual.excluded(env, i)}


def _shown(leaf: _Leaf, i: int) -> dict[str, Any]:
    """Return a leaf in bin ``i`` as JSON; counts that the leaf does not have are 0."""
    counts = {"sign_in": leaf.sign_in, "session": leaf.session}
    rows = {name: _NOTHING if one is None else one[i].tolist() for name, one in counts.items()}
    return {"axes": leaf.axes, **{n: dict(zip(_COUNTERS, row, strict=True)) for n, row in rows.items()}}


def _counts_any(leaf: _Leaf, i: int) -> bool:
    return any(one is not None and one[i].any() for one in (leaf.sign_in, leaf.session))


def _sign_in_leaves(
    rng: np.random.Generator, at_start: Expected, at_callback: Expected, world: World
) -> tuple[list[_Leaf], Counts]:
    """Draw the leaves of starts and callbacks, and how many were authorized to fetch a token of sis, by bin."""
    chances = world.chances
    leaves: list[_Leaf] = []
    authorized = np.zeros(len(at_start), dtype=np.int64)
    for m, method in enumerate(METHODS):
        for k, (client, _) in enumerate(world.clients):
            used = world.method_shares[m] * world.client_shares[m][k]
            asks = chances.sso if m == SIS and world.uses_sso[k] else 0.0
            known = asks * chances.sso_known * (1 - chances.callback_bad)
            if used and asks:
                counts = np.zeros((len(at_start), len(_COUNTERS)), dtype=np.int64)
                counts[:, _GOOD] = rng.poisson(at_start * used * known)
                counts[:, _BAD] = rng.poisson(at_start * used * asks * chances.callback_bad)
                _time(rng, counts, _over(TIMES.start[m], m))
                leaves.append(_Leaf({"auth_method": method, "client_id": client}, counts, None))
                authorized += counts[:, _GOOD]
            lost = known + asks * chances.callback_bad
            for c, provider in enumerate(world.providers):
                attempts = used * world.csp_shares[m][c] * (1 - lost) * _tries(world, m, c)
                if not attempts:
                    continue
                counts = np.zeros((len(at_start), len(_COUNTERS)), dtype=np.int64)
                refused = chances.bad_request if m == SIS else 0.0
                _draw_leaf(rng, counts, (at_start, at_callback), attempts, (refused, m, c), world)
                axes = {"auth_method": method, "csp": provider.name, "client_id": client}
                leaves.append(_Leaf(axes, counts, None))
                if m == SIS:
                    authorized += counts[:, _GOOD]
    return leaves, authorized


def _session_leaves(
    rng: np.random.Generator, back: list[Expected], signed: list[Expected], world: World
) -> list[Counts]:
    """Draw the counts (bin, counter) of sessions, for each method.

    ``back`` and ``signed`` are the sign-ins that are wanted in each bin, and in those that lie 1, 2, ... buckets before
    it: at the instant of the wish, and at that of the callback.
    """
    chances = world.chances
    #: Shares of sessions that last at least, and that end after, so many buckets.
    lasts = [float(np.mean(TIMES.session >= k * BUCKET)) for k in range(_LONGEST + 1)]
    ends = [
        float(np.mean((TIMES.session >= k * BUCKET) & (TIMES.session < (k + 1) * BUCKET)))
        for k in range(_LONGEST + 1)
    ]
    out = []
    for m in range(len(METHODS)):
        begun = world.method_shares[m] * _signed_in(world, m)
        returns = world.method_shares[m] * world.returning if m == SIS else 0.0
        alive = returns * (1 - chances.ended)
        counts = np.zeros((len(back[0]), len(_COUNTERS)), dtype=np.int64)
        leaving = chances.logout[m] + (1 - chances.logout[m]) * (chances.revoke_all if m == SIS else 0.0)
        good = sum(
            leaving * ends[k] * (signed[k] * begun + back[k] * alive) for k in range(_LONGEST + 1)
        ) + np.zeros(len(back[0]))
        if m == SIS:
            good += sum(
                lasts[k] * (back[k] * alive + signed[k] * begun * (k > 0)) for k in range(_LONGEST + 1)
            )
            counts[:, _EXCLUDED] = rng.poisson(back[0] * returns * chances.ended)
            counts[:, _BAD] = rng.poisson(good * chances.refresh_bad)
        counts[:, _GOOD] = rng.poisson(good)
        _time(rng, counts, _over(TIMES.refresh, m))
        out.append(counts)
    return out


def _signed_in(world: World, method: int) -> float:
    """Return how many sessions begin for each person who wants to sign in by a method."""
    chances = world.chances
    asks = chances.sso if method == SIS else 0.0
    total = 0.0
    for k, used in enumerate(world.client_shares[method]):
        known = asks * chances.sso_known * bool(world.uses_sso[k])
        for c, share in enumerate(world.csp_shares[method]):
            user_error, bad = _callback_chances(world, method, c)
            by_callback = _tries(world, method, c) * chances.returns * (1 - user_error - bad)
            total += used * share * (known + (1 - known) * by_callback)
    return total


# -- both forms ---------------------------------------------------------------------------------------------------


def _draw_leaf(
    rng: np.random.Generator,
    leaf: Counts,
    wanted: tuple[Expected, Expected],
    attempts: float,
    of: tuple[float, int, int],
    world: World,
) -> None:
    """Draw the counts (bin, counter) of starts and callbacks, in place.

    Args:
        leaf: the counts.
        wanted: the sign-ins that are wanted in each bin, at the start and at the callback.
        attempts: attempts for each sign-in that is wanted.
        of: the share of starts that are refused; positions of the method and the provider.
    """
    at_start, at_callback = wanted
    refused, m, c = of
    returned = attempts * (1 - refused) * world.chances.returns
    user_error, bad = _callback_chances(world, m, c)
    leaf[:, _STARTED] = rng.poisson(at_start * attempts * (1 - refused))
    leaf[:, _EXCLUDED] = rng.poisson(at_callback * returned * user_error)
    leaf[:, _EXCLUDED] += rng.poisson(at_start * attempts * refused)
    leaf[:, _BAD] = rng.poisson(at_callback * returned * bad)
    leaf[:, _GOOD] = rng.poisson(at_callback * returned * (1 - user_error - bad))
    _time(rng, leaf, _over(TIMES.callback[m], m))


def _draw_tokens(rng: np.random.Generator, tokens: Counts, authorized: Counts, world: World) -> None:
    """Draw the counts (bin, counter) of tokens of sis, in place."""
    tokens[:, _BAD] = rng.binomial(authorized, world.chances.token_bad)
    tokens[:, _GOOD] = authorized - tokens[:, _BAD]
    _time(rng, tokens, _over(TIMES.token, SIS))


def _time(rng: np.random.Generator, leaf: Counts, slow: float) -> None:
    """Set how many completed requests were timed (all of them) and slow, in place."""
    leaf[:, _TIMED] = leaf[:, _GOOD] + leaf[:, _BAD]
    leaf[:, _SLOW] = rng.binomial(leaf[:, _TIMED], slow)


def _over(table: npt.NDArray[np.int64], method: int) -> float:
    return float(np.mean(table >= _LATENCY[method]))


def _callback_chances(world: World, method: int, csp: int) -> tuple[float, float]:
    """Return the probabilities that a callback fails with a user error, and with a server error.

    As in the traffic, a callback that would fail with both fails with the server error.
    """
    bad = world.chances.callback_bad
    return world.chances.user_error[method][csp] * (1 - bad), bad


def _tries(world: World, method: int, csp: int) -> float:
    """Return the mean number of attempts per person: people who fail may try again."""
    chances = world.chances
    user_error, bad = _callback_chances(world, method, csp)
    again = chances.returns * (user_error * chances.retry_user_error + bad * chances.retry_bad)
    return 1 / (1 - again)
