"""Which events does a sign-in consist of? First request, callback, tokens, session, and further attempts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.instants import MINUTE, SECOND
from streams.simulate.demand import ENV_SHARES
from streams.simulate.episodes import BOT_TRIES, Troubles
from streams.simulate.errors import BY_USER, ENDED, MIXES, REDIRECTED, Mix
from streams.simulate.rows import ATTEMPT, EVENT, NONE, Rows, concat, events_of, quantiles
from streams.simulate.worlds.world import (
    CALLBACK,
    ENVS,
    FAILURE,
    METHODS,
    OUTCOMES,
    SIS,
    START_STEP,
    STARTED,
    STEPS,
    SUCCESS,
    World,
)

__all__ = ["TIMES", "Draws", "journeys", "machines"]

_TOKEN, _REFRESH, _LOGOUT = (STEPS.index(s) for s in ("token", "refresh", "logout"))
_AUTHORIZE_SSO, _REVOKE_ALL, _STS = (STEPS.index(s) for s in ("authorize_sso", "revoke_all_sessions", "sts"))
_REDIRECT = OUTCOMES.index("redirect")


class TIMES:
    """Distributions of times, as tables of equally likely values, ms."""

    away = quantiles(42_000, 0.5, 20_000, 120_000)  # typing at the credential provider
    retry_after = quantiles(14_000, 0.7, 3_000, 120_000)
    redirected = quantiles(
        1_500, 0.6, 300, 10_000
    )  # from the request that finds no session to the sign-in page
    token_after = quantiles(600, 0.5, 150, 4_000)
    session = quantiles(20 * MINUTE, 0.75, 2 * MINUTE, 60 * MINUTE)
    refresh_again = quantiles(12_000, 0.4, 5_000, 40_000)
    #: Server time per method, of a start and of a callback; mostly below the SLA's 2.43 s and 1.2 s.
    start = (quantiles(90, 0.5, 8, 20_000), quantiles(45, 0.5, 4, 20_000))
    callback = (quantiles(420, 0.6, 30, 30_000), quantiles(240, 0.55, 20, 30_000))
    token = quantiles(110, 0.5, 10, 20_000)
    refresh = quantiles(60, 0.5, 5, 20_000)
    machine = quantiles(80, 0.5, 8, 20_000)


#: The greatest number of tries of a person.
_MOST_TRIES = 6
#: A bot without a name, or with several identities, is back from the credential provider after this time at most, ms.
_BOT_AWAY = 4 * SECOND
_REFRESH_EVERY = 5 * MINUTE
_REFRESH_JITTER = 15 * SECOND
_MOST_REFRESH_FAILURES = 3


@dataclass(frozen=True)
class Draws:
    """Where chance comes from: a world with its probabilities, and random numbers.

    The random numbers are separate for people and for episodes, so that episodes do not change who signs in.
    """

    world: World
    people: np.random.Generator
    trouble: np.random.Generator


def journeys(draws: Draws, troubles: Troubles, attempts: Rows, sessions: Rows) -> Rows:
    """Return all events of people who start to sign in (``attempts``) or come back with a session (``sessions``).

    The events are in no order, and may lie hours after the start. A failed sign-in may cause another attempt, so
    attempts are simulated in rounds.
    """
    chances = draws.world.chances
    ended = np.zeros(len(sessions), np.bool_)
    if chances.ended:
        ended = draws.people.random(len(sessions)) < chances.ended
    stayed, again = _stay(draws, troubles, sessions, np.zeros(len(sessions), dtype=np.int64), ended)
    parts = [stayed]
    waiting = concat([attempts, again], ATTEMPT)
    while len(waiting):
        signed, begun, first = _sign_in(draws, troubles, waiting)
        fresh = np.zeros(len(begun), np.bool_)
        stayed, second = _stay(draws, troubles, begun, np.full(len(begun), _REFRESH_EVERY), fresh)
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
    for method, mix in enumerate(draws.world.noise):
        _break(draws, rows, bad & (rows["method"] == method), mix, identified)


def _sign_in(draws: Draws, troubles: Troubles, waiting: Rows) -> tuple[Rows, Rows, Rows]:
    """Return (events, people who are then signed in, people who try again)."""
    rng, world, chances = draws.people, draws.world, draws.world.chances
    troubles.divert(draws.trouble, waiting)
    asked, known, waiting = _by_session(draws, troubles, waiting)
    size = len(waiting)
    flow = rng.integers(1, 2**63, size, dtype=np.uint64)

    start = events_of(waiting, START_STEP[waiting["method"]], waiting["t"], flow)
    start["outcome"] = STARTED
    _settle(draws, troubles, start, TIMES.start)
    refused = (rng.random(size) < chances.bad_request) & (start["method"] == SIS)
    _break(draws, start, refused, world.bad_requests, 0.0)
    start["identified"] = False

    away = _take(rng, TIMES.away, size) + troubles.wait(draws.trouble, waiting)
    away = np.where(waiting["tries"] == BOT_TRIES, np.minimum(away, _BOT_AWAY), away)
    returns = (rng.random(size) < chances.returns) & (start["outcome"] == STARTED)
    callback = events_of(waiting[returns], CALLBACK, (waiting["t"] + away)[returns], flow[returns])
    callback["away"] = away[returns] // SECOND
    _settle(draws, troubles, callback, TIMES.callback)
    _user_errors(draws, callback)
    _noise(draws, callback, chances.callback_bad, MIXES["ssoe_noise"].identified)
    troubles.withhold(draws.trouble, callback, "no_return")
    ok = (callback["outcome"] != FAILURE) & ~callback["ghost"]

    by_sis = ok & (callback["method"] == SIS)
    wants_token = concat([callback[by_sis], known], EVENT)
    token = events_of(wants_token, _TOKEN, wants_token["t"] + _take(rng, TIMES.token_after, len(wants_token)))
    _settle(draws, troubles, token, (TIMES.token,))
    _noise(draws, token, chances.token_bad, world.session_identified)

    tries = waiting["tries"]
    callback_tries = tries[returns]
    token_tries = np.concatenate([callback_tries[by_sis], np.zeros(len(known), np.uint8)])
    again = [
        _retries(draws, start, tries),
        _retries(draws, callback, callback_tries),
        _retries(draws, token, token_tries),
    ]
    signed_in = concat(
        [callback[ok & (callback["method"] != SIS)], token[token["outcome"] != FAILURE]], EVENT
    )
    return concat([asked, start, callback, token], EVENT), signed_in, concat(again, ATTEMPT)


class _BySession(NamedTuple):
    asked: Rows  # the requests for the session of another client
    known: Rows  # those requests that found a session, which is a sign-in
    waiting: Rows  # attempts without such a session: they go on to a credential provider


def _by_session(draws: Draws, troubles: Troubles, waiting: Rows) -> _BySession:
    """Let some people ask for the session that they have with another client, before their first attempt."""
    rng, world = draws.people, draws.world
    if not world.chances.sso:
        return _BySession(np.zeros(0, EVENT), np.zeros(0, EVENT), waiting)
    may = (waiting["method"] == SIS) & world.uses_sso[waiting["client"]] & (waiting["tries"] == 0)
    asks = np.flatnonzero(may & (rng.random(len(waiting)) < world.chances.sso))
    asked = events_of(waiting[asks], _AUTHORIZE_SSO, waiting["t"][asks])
    none = rng.random(len(asks)) >= world.chances.sso_known
    _settle(draws, troubles, asked, (TIMES.start[SIS],))
    _noise(draws, asked, world.chances.callback_bad, 0.0)
    # Who has no session is sent on to the sign-in page, with an error code though nothing has failed.
    sent_on = none & (asked["outcome"] == SUCCESS)
    asked["outcome"][sent_on] = _REDIRECT
    asked["error"][sent_on] = REDIRECTED
    asked["identified"][sent_on] = False
    gone = np.ones(len(waiting), np.bool_)
    gone[asks] = sent_on
    waiting = waiting.copy()
    waiting["t"][asks] += _take(rng, TIMES.redirected, len(asks))
    return _BySession(asked, asked[asked["outcome"] == SUCCESS], waiting[gone])


def machines(draws: Draws, troubles: Troubles, rate: float, begin: int, end: int) -> Rows:
    """Return the requests of machines for tokens, in [begin, end) ms, at ``rate`` sign-ins per second at the peak.

    Machines ask at all hours alike.
    """
    rng, world = draws.people, draws.world
    parts: list[Rows] = []
    for env, share in ENV_SHARES.items() if world.machines else ():
        size = int(rng.poisson(rate * world.machines * share * (end - begin) / SECOND))
        who = np.zeros(size, ATTEMPT)
        who["env"], who["method"] = ENVS.index(env), SIS
        who["csp"], who["client"] = len(world.providers), len(world.clients)
        parts.append(events_of(who, _STS, rng.integers(begin, end, size)))
    rows = concat(parts, EVENT)
    if len(rows):
        _settle(draws, troubles, rows, (TIMES.machine,))
        bad = rng.random(len(rows)) < world.chances.machine_bad
        _break(draws, rows, bad, MIXES["machine_down"], 0.0)
        rows["identified"] = False
    return rows


def _user_errors(draws: Draws, callback: Rows) -> None:
    """Add user errors at the callback, in place."""
    world = draws.world
    wrong = draws.people.random(len(callback)) < world.user_error[callback["method"], callback["csp"]]
    for method, csp in product(range(len(METHODS)), range(len(world.providers))):
        which = wrong & (callback["method"] == method) & (callback["csp"] == csp)
        mix = world.user_errors[method][csp]
        _break(draws, callback, which, mix, mix.identified)


def _retries(draws: Draws, events: Rows, tries: npt.NDArray[np.uint8]) -> Rows:
    """Return the attempts that follow failures: new flows of the people who failed, some seconds later."""
    rng, chances = draws.people, draws.world.chances
    failed = np.flatnonzero((events["outcome"] == FAILURE) & ~events["ghost"])
    chance = np.where(BY_USER[events["error"][failed]], chances.retry_user_error, chances.retry_bad)
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


def _stay(
    draws: Draws, troubles: Troubles, who: Rows, first: npt.NDArray[np.int64], ended: npt.NDArray[np.bool_]
) -> tuple[Rows, Rows]:
    """Simulate sessions that begin at ``t``, with the first refresh ``first`` ms later.

    Returns (events, people who sign in anew). Only sis refreshes tokens. A refresh that fails is tried again soon;
    after three failures the session is over. A session that has ``ended`` before is over after one refresh.
    """
    rng, world, chances = draws.people, draws.world, draws.world.chances
    began = who["t"]
    ends = began + _take(rng, TIMES.session, len(who))
    parts: list[Rows] = []
    again: list[Rows] = []
    live = np.flatnonzero(who["method"] == SIS)
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
        _noise(draws, refresh, chances.refresh_bad, world.session_identified)
        void = ended[live]
        if void.any():
            _break(draws, refresh, void, ENDED, ENDED.identified)
        parts.append(refresh)
        failed = refresh["outcome"] == FAILURE
        failures = np.where(failed, failures + 1, 0)
        over = failures >= _MOST_REFRESH_FAILURES
        anew = over & (rng.random(len(live)) < chances.sign_in_after_refresh)
        again.append(_attempts(refresh[anew], due[anew] + _take(rng, TIMES.retry_after, int(anew.sum())), 0))
        over |= void
        lost[live[over]] = True
        pause = np.where(
            failed,
            _take(rng, TIMES.refresh_again, len(live)),
            _REFRESH_EVERY + rng.integers(-_REFRESH_JITTER, _REFRESH_JITTER, len(live)),
        )
        live, due, failures = live[~over], (due + pause)[~over], failures[~over]
    parts += _leave(draws, troubles, who, ends, lost)
    return concat(parts, EVENT), concat(again, ATTEMPT)


def _leave(
    draws: Draws, troubles: Troubles, who: Rows, ends: npt.NDArray[np.int64], lost: npt.NDArray[np.bool_]
) -> list[Rows]:
    """Return the events by which people end the sessions that they have not lost, at ``ends`` (ms)."""
    rng, chances = draws.people, draws.world.chances
    leaves = (rng.random(len(who)) < draws.world.logout[who["method"]]) & ~lost
    parts = [events_of(who[leaves], _LOGOUT, ends[leaves])]
    _settle(draws, troubles, parts[0], (TIMES.refresh,))
    if chances.revoke_all:
        revokes = (rng.random(len(who)) < chances.revoke_all) & (who["method"] == SIS) & ~lost & ~leaves
        parts.append(events_of(who[revokes], _REVOKE_ALL, ends[revokes]))
        _settle(draws, troubles, parts[1], (TIMES.refresh,))
    return parts
