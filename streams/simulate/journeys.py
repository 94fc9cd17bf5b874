"""Which events does a sign-in consist of? First request, callback, tokens, session, and further attempts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE, SECOND
from detectors.scopes import CSPS, METHODS, STEPS
from streams.simulate.episodes import Troubles
from streams.simulate.errors import BY_USER, MIXES, Mix, user_errors
from streams.simulate.rows import (
    ATTEMPT,
    CALLBACK,
    EVENT,
    FAILURE,
    NONE,
    START_STEP,
    STARTED,
    Rows,
    concat,
    events_of,
    quantiles,
)

__all__ = ["NORMAL", "TIMES", "Chances", "Draws", "journeys"]

_SIS = METHODS.index("sis")
_TOKEN, _REFRESH, _LOGOUT = (STEPS.index(s) for s in ("token", "refresh", "logout"))
_NOISE = ("ssoe_noise", "sis_noise")


@dataclass(frozen=True)
class Chances:
    """The probabilities of what happens to a request or a person on an ordinary day.

    Attributes:
        returns: a person comes back from the credential provider to a callback that reports success or failure.
            The others never come back, or are sent on to verify their identity, which reports neither.
        user_error: a callback fails with a user error, per method and credential provider.
        callback_bad, token_bad, refresh_bad: the request fails with a server error.
        bad_request: an ``authorize`` is refused as invalid (excluded).
        retry_bad, retry_user_error: a person tries again after a server error, after a user error.
        sign_in_after_refresh: a person whose refreshes failed signs in again.
        logout: a session ends by logging out, per method.
    """

    returns: float = 0.72
    user_error: tuple[tuple[float, ...], ...] = ((0.022, 0.030, 0.036, 0.030), (0.020, 0.028, 0.034, 0.030))
    callback_bad: float = 0.0004
    token_bad: float = 0.0002
    refresh_bad: float = 0.00005
    bad_request: float = 0.0005
    retry_bad: float = 0.70
    retry_user_error: float = 0.45
    sign_in_after_refresh: float = 0.5
    logout: tuple[float, ...] = (0.25, 0.12)


NORMAL = Chances()
_USER_ERROR = np.array(NORMAL.user_error)
_LOGOUT_CHANCE = np.array(NORMAL.logout)


class TIMES:
    """Distributions of times, as tables of equally likely values, ms."""

    away = quantiles(42_000, 0.5, 20_000, 120_000)  # typing at the credential provider
    retry_after = quantiles(14_000, 0.7, 3_000, 120_000)
    token_after = quantiles(600, 0.5, 150, 4_000)
    session = quantiles(20 * MINUTE, 0.75, 2 * MINUTE, 60 * MINUTE)
    refresh_again = quantiles(12_000, 0.4, 5_000, 40_000)
    #: Server time per method, of a start and of a callback; mostly below the SLA's 2.43 s and 1.2 s.
    start = (quantiles(90, 0.5, 8, 20_000), quantiles(45, 0.5, 4, 20_000))
    callback = (quantiles(420, 0.6, 30, 30_000), quantiles(240, 0.55, 20, 30_000))
    token = quantiles(110, 0.5, 10, 20_000)
    refresh = quantiles(60, 0.5, 5, 20_000)


#: The greatest number of tries of a person.
_MOST_TRIES = 6
_REFRESH_EVERY = 5 * MINUTE
_REFRESH_JITTER = 15 * SECOND
_MOST_REFRESH_FAILURES = 3


@dataclass(frozen=True)
class Draws:
    """Random numbers, separate for people and for episodes, so that episodes do not change who signs in."""

    people: np.random.Generator
    trouble: np.random.Generator


def journeys(draws: Draws, troubles: Troubles, attempts: Rows, sessions: Rows) -> Rows:
    """Return all events of people who start to sign in (``attempts``) or come back with a session (``sessions``).

    The events are in no order, and may lie hours after the start. A failed sign-in may cause another attempt, so
    attempts are simulated in rounds.
    """
    stayed, again = _stay(draws, troubles, sessions, np.zeros(len(sessions), dtype=np.int64))
    parts = [stayed]
    waiting = concat([attempts, again], ATTEMPT)
    while len(waiting):
        signed, begun, first = _sign_in(draws, troubles, waiting)
        stayed, second = _stay(draws, troubles, begun, np.full(len(begun), _REFRESH_EVERY))
        parts += [signed, stayed]
        waiting = concat([first, second], ATTEMPT)
    return concat(parts, EVENT)


def _take(rng: np.random.Generator, table: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    return table[rng.integers(0, len(table), size)]


def _settle(draws: Draws, troubles: Troubles, rows: Rows, tables: tuple[npt.NDArray[np.int64], ...]) -> None:
    """Set server times, then apply episodes, in place; ``tables`` is one table per method, or one for all."""
    drawn = np.stack([_take(draws.people, table, len(rows)) for table in tables])
    rows["duration"] = drawn[rows["method"] if len(tables) > 1 else 0, np.arange(len(rows))]
    rows["request"] = draws.people.integers(1, 2**63, len(rows), dtype=np.uint64)
    troubles.fail(draws.trouble, rows)
    troubles.slow(draws.trouble, rows)


def _break(draws: Draws, rows: Rows, which: npt.NDArray[np.bool_], mix: Mix, identified: float) -> None:
    """Turn events into failures without an episode, in place; a share ``identified`` of them name their person."""
    hit = np.flatnonzero(which & (rows["cause"] == NONE))
    rows["error"][hit] = mix.draw(draws.people, len(hit))
    rows["outcome"][hit] = FAILURE
    rows["identified"][hit] = draws.people.random(len(hit)) < identified


def _noise(draws: Draws, rows: Rows, chance: float, identified: float) -> None:
    """Add the few server errors of an ordinary day, in place."""
    bad = draws.people.random(len(rows)) < chance
    for method, name in enumerate(_NOISE):
        _break(draws, rows, bad & (rows["method"] == method), MIXES[name], identified)


def _sign_in(draws: Draws, troubles: Troubles, waiting: Rows) -> tuple[Rows, Rows, Rows]:
    """Return (events, people who are then signed in, people who try again)."""
    rng = draws.people
    size = len(waiting)
    troubles.divert(draws.trouble, waiting)
    flow = rng.integers(1, 2**63, size, dtype=np.uint64)

    start = events_of(waiting, START_STEP[waiting["method"]], waiting["t"], flow)
    start["outcome"] = STARTED
    _settle(draws, troubles, start, TIMES.start)
    refused = (rng.random(size) < NORMAL.bad_request) & (start["method"] == _SIS)
    _break(draws, start, refused, MIXES["request_noise"], 0.0)
    start["identified"] = False

    away = _take(rng, TIMES.away, size)
    returns = (rng.random(size) < NORMAL.returns) & (start["outcome"] == STARTED)
    callback = events_of(waiting[returns], CALLBACK, (waiting["t"] + away)[returns], flow[returns])
    callback["away"] = away[returns] // SECOND
    _settle(draws, troubles, callback, TIMES.callback)
    _user_errors(draws, callback)
    _noise(draws, callback, NORMAL.callback_bad, MIXES["ssoe_noise"].identified)
    troubles.withhold(draws.trouble, callback, "no_return")
    ok = (callback["outcome"] != FAILURE) & ~callback["ghost"]

    wants_token = callback[ok & (callback["method"] == _SIS)]
    token = events_of(wants_token, _TOKEN, wants_token["t"] + _take(rng, TIMES.token_after, len(wants_token)))
    _settle(draws, troubles, token, (TIMES.token,))
    _noise(draws, token, NORMAL.token_bad, 1.0)

    tries = waiting["tries"]
    callback_tries = tries[returns]
    token_tries = callback_tries[ok & (callback["method"] == _SIS)]
    again = [
        _retries(rng, start, tries),
        _retries(rng, callback, callback_tries),
        _retries(rng, token, token_tries),
    ]
    signed_in = concat(
        [callback[ok & (callback["method"] != _SIS)], token[token["outcome"] != FAILURE]], EVENT
    )
    return concat([start, callback, token], EVENT), signed_in, concat(again, ATTEMPT)


def _user_errors(draws: Draws, callback: Rows) -> None:
    """Add user errors at the callback, in place."""
    wrong = draws.people.random(len(callback)) < _USER_ERROR[callback["method"], callback["csp"]]
    for method, csp in product(range(len(METHODS)), range(len(CSPS))):
        which = wrong & (callback["method"] == method) & (callback["csp"] == csp)
        mix = user_errors(method, csp)
        _break(draws, callback, which, mix, mix.identified)


def _retries(rng: np.random.Generator, events: Rows, tries: npt.NDArray[np.uint8]) -> Rows:
    """Return the attempts that follow failures: new flows of the people who failed, some seconds later."""
    failed = np.flatnonzero((events["outcome"] == FAILURE) & ~events["ghost"])
    chance = np.where(BY_USER[events["error"][failed]], NORMAL.retry_user_error, NORMAL.retry_bad)
    failed = failed[(rng.random(len(failed)) < chance) & (tries[failed] < _MOST_TRIES - 1)]
    return _attempts(
        events[failed], events["t"][failed] + _take(rng, TIMES.retry_after, len(failed)), tries[failed] + 1
    )


def _attempts(who: Rows, t: npt.NDArray[np.int64], tries: npt.NDArray[np.uint8] | int) -> Rows:
    rows = np.zeros(len(who), ATTEMPT)
    for name in ATTEMPT.names or ():
        if name != "tries":
            rows[name] = who[name]
    rows["t"] = t
    rows["tries"] = tries
    return rows


def _stay(draws: Draws, troubles: Troubles, who: Rows, first: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Simulate sessions that begin at ``t``, with the first refresh ``first`` ms later.

    Returns (events, people who sign in anew). Only sis refreshes tokens. A refresh that fails is tried again soon;
    after three failures the session ends.
    """
    rng = draws.people
    began = who["t"]
    ends = began + _take(rng, TIMES.session, len(who))
    parts: list[Rows] = []
    again: list[Rows] = []
    live = np.flatnonzero(who["method"] == _SIS)
    due = (began + first)[live] + rng.integers(0, _REFRESH_JITTER, len(live))
    failures = np.zeros(len(live), dtype=np.int64)
    lost = np.zeros(len(who), dtype=np.bool_)
    while True:
        within = due <= ends[live]
        live, due, failures = live[within], due[within], failures[within]
        if not len(live):
            break
        refresh = events_of(who[live], _REFRESH, due)
        _settle(draws, troubles, refresh, (TIMES.refresh,))
        _noise(draws, refresh, NORMAL.refresh_bad, 1.0)
        parts.append(refresh)
        failed = refresh["outcome"] == FAILURE
        failures = np.where(failed, failures + 1, 0)
        over = failures >= _MOST_REFRESH_FAILURES
        lost[live[over]] = True
        anew = over & (rng.random(len(live)) < NORMAL.sign_in_after_refresh)
        again.append(_attempts(refresh[anew], due[anew] + _take(rng, TIMES.retry_after, int(anew.sum())), 0))
        pause = np.where(
            failed,
            _take(rng, TIMES.refresh_again, len(live)),
            _REFRESH_EVERY + rng.integers(-_REFRESH_JITTER, _REFRESH_JITTER, len(live)),
        )
        live, due, failures = live[~over], (due + pause)[~over], failures[~over]
    leaves = (rng.random(len(who)) < _LOGOUT_CHANCE[who["method"]]) & ~lost
    logout = events_of(who[leaves], _LOGOUT, ends[leaves])
    _settle(draws, troubles, logout, (TIMES.refresh,))
    return concat([*parts, logout], EVENT), concat(again, ATTEMPT)
