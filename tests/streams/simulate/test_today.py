"""Today's world has the shape that is on record, and its scenarios hold what their names say."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from streams.simulate import SCENARIOS, Simulation, simulate
from streams.simulate.errors import BY_USER, ERRORS
from streams.simulate.rows import Rows, scope_mask
from streams.simulate.worlds import WORLDS
from streams.simulate.worlds.world import CALLBACK, FAILURE, METHODS, OUTCOMES, SIS, START_STEP, STEPS

pytestmark = pytest.mark.long

Event = dict[str, Any]
TODAY = WORLDS["today"]
#: Sign-ins per second at the peak of the measured day, and by default.
RATE, USUAL_RATE = 0.5, 2.5
NIGHT = parse_instant("2026-10-06T00:00:00-04:00")
SIGN_IN = ("new", "authorize", "authorize_sso", "callback", "token")
SESSION = ("refresh", "revoke", "revoke_all_sessions", "logout")
STARTS, CALLBACKS = ('"step":"new"', '"step":"authorize"'), ('"step":"callback"',)


@cache
def of(scenario: str, duration: int | None = None, rate: float | None = None) -> Simulation:
    return simulate(scenario, 1, SCENARIOS[scenario].start, duration, rate)


@cache
def lines(scenario: str, duration: int | None = None, rate: float | None = None) -> tuple[bytes, ...]:
    """The lines of production."""
    return tuple(line for line in of(scenario, duration, rate).lines() if b'"env":"prod"' in line)


def events(
    scenario: str, duration: int | None = None, rate: float | None = None, *, holding: tuple[str, ...] = ()
) -> list[Event]:
    """The events of production; only those whose line holds one of the texts, if any are given: fewer to decode."""
    texts = [text.encode() for text in holding]
    picked = (
        line for line in lines(scenario, duration, rate) if not texts or any(text in line for text in texts)
    )
    return [msgspec.json.decode(line) for line in picked]


def truth(scenario: str, duration: int | None = None, rate: float | None = None) -> list[Event]:
    lines(scenario, duration, rate)  # the simulation knows its truth once its lines are read
    return of(scenario, duration, rate).truth()


@cache
def weekday() -> Rows:
    """A whole Tuesday of production."""
    rows = np.concatenate(list(simulate("healthy", 11, NIGHT, DAY, RATE, world="today").batches()))
    prod: Rows = rows[rows["env"] == 0]
    return prod


def named(rows: Rows, *steps: str) -> Rows:
    picked: Rows = rows[np.isin(rows["step"], [STEPS.index(step) for step in steps])]
    return picked


def minute(event: Event, scenario: str) -> int:
    return (parse_instant(event["occurred_at"]) - SCENARIOS[scenario].start) // MINUTE


# -- the world ------------------------------------------------------------------------------------------------


def test_shares_add_up() -> None:
    for world in WORLDS.values():
        for shares in (
            world.method_shares,
            *world.csp_shares,
            *world.client_shares,
            world.operation_shares,
        ):
            assert sum(shares) == pytest.approx(1)
        assert {len(shares) for shares in world.csp_shares} == {len(world.providers)}
        assert {len(shares) for shares in world.client_shares} == {len(world.clients)}
        assert {len(people) for people in world.populations.values()} == {len(world.providers)}


def test_most_people_sign_in_by_sis_on_the_web_or_in_the_app() -> None:
    starts = weekday()[np.isin(weekday()["step"], START_STEP)]
    assert 0.8 < np.mean(starts["method"] == SIS) < 0.92
    clients = Counter(TODAY.clients[c][0] for c in starts["client"][starts["method"] == SIS].tolist())
    assert {name for name, count in clients.items() if count > 0.4 * clients.total()} == {"vaweb", "vamobile"}
    providers = Counter(TODAY.providers[c].name for c in starts["csp"].tolist())
    assert providers["idme"] > providers["logingov"] > 20 * providers["mhv"] > 0
    assert providers["clear"] == 0
    mhv = scope_mask(starts, "prod/*/mhv", TODAY)
    assert {METHODS[m] for m in starts["method"][mhv].tolist()} == {"ssoe"}
    assert {TODAY.operations[o] for o in starts["operation"][mhv].tolist()} == {"mhv_exception"}


def test_an_eighth_of_the_refreshes_are_of_sessions_that_have_ended() -> None:
    refreshes = named(weekday(), "refresh")
    failed = refreshes[refreshes["outcome"] == FAILURE]
    assert len(failed) / len(refreshes) == pytest.approx(0.12, abs=0.01)
    classes = Counter(ERRORS[e][1] for e in failed["error"].tolist())
    ended = classes["SessionNotAuthorizedError"] + classes["AccessTokenExpiredError"]
    assert ended > 0.99 * classes.total()
    assert {code for code, name in ERRORS if name == "SessionNotAuthorizedError"} == {"400"}


def test_who_has_a_session_with_another_client_needs_no_provider_and_who_has_none_is_sent_on() -> None:
    found = events("expired_sessions", HOUR)
    asked = [one for one in found if one["step"] == "authorize_sso"]
    outcomes = Counter(one["outcome"] for one in asked)
    assert outcomes["success"] > 200
    assert outcomes["redirect"] > 200
    assert all(one["csp"] is None and one["client_id"] == "vaweb" and "flow_id" not in one for one in asked)
    redirected = [one for one in asked if one["outcome"] == "redirect"]
    assert {(one["error_code"], one.get("error_class"), one["user_hash"]) for one in redirected} == {
        ("400", None, None)
    }
    tokens = sum(one["step"] == "token" for one in found)
    callbacks = sum(
        (one["step"], one["auth_method"], one["outcome"]) == ("callback", "sis", "success") for one in found
    )
    assert tokens == pytest.approx(callbacks + outcomes["success"], abs=5)


def test_requests_of_a_session_and_of_machines_name_neither_client_nor_provider() -> None:
    found = events("expired_sessions", HOUR)
    assert {"sts", "revoke_all_sessions", "refresh", "logout", "token"} <= {one["step"] for one in found}
    for one in found:
        knows_client = one["step"] in ("new", "authorize", "authorize_sso", "callback")
        assert ("client_id" in one) == knows_client
        assert (one["csp"] is not None) == (knows_client and one["step"] != "authorize_sso")
        if one["step"] == "sts" or (one["step"] in SESSION and one["outcome"] == "failure"):
            assert one["user_hash"] is None


def test_machines_ask_for_tokens_at_night_as_by_day() -> None:
    asked = named(weekday(), "sts")
    by_hour = np.bincount((asked["t"] - NIGHT) // HOUR, minlength=24)
    assert by_hour.min() > 0.7 * by_hour.max()


def test_a_weekday_has_the_volume_that_is_realistic() -> None:
    # 60,000 to 200,000 sign-ins a day, 5 to 50 events a second at the peak.
    starts = weekday()[np.isin(weekday()["step"], START_STEP)]
    assert 60_000 < USUAL_RATE / RATE * len(starts) < 200_000
    noon = weekday()["t"] // HOUR == (NIGHT + 12 * HOUR) // HOUR
    assert 5 < USUAL_RATE / RATE * np.count_nonzero(noon) / 3600 < 50


# -- the scenarios --------------------------------------------------------------------------------------------


def test_a_new_provider_grows_on_sis_and_then_fails_for_300_people() -> None:
    notice, outage = truth("new_provider")
    assert (notice["kind"], notice["scope"], notice["page"]) == ("notice", "prod/*/clear", False)
    assert (outage["kind"], outage["scope"], outage["page"]) == ("outage", "prod/*/clear", True)
    assert 240 < outage["users"] < 360
    found = events("new_provider", holding=('"csp":"clear"', *CALLBACKS))
    clear = [one for one in found if one["csp"] == "clear"]
    assert {one["auth_method"] for one in clear} == {"sis"}
    begun = Counter(minute(one, "new_provider") // 30 for one in clear if one["step"] == "authorize")
    assert begun[0] < begun[1] < begun[2] < begun[3]
    failing = [
        one["outcome"] == "failure"
        for one in clear
        if one["step"] == "callback" and 120 <= minute(one, "new_provider") < 142
    ]
    assert all(failing)
    others = [
        one["outcome"] == "failure" for one in found if one["step"] == "callback" and one["csp"] != "clear"
    ]
    assert np.mean(others) < 0.05


def test_a_retired_provider_had_forty_sign_ins_in_five_minutes_and_has_none() -> None:
    starts = events("provider_retired", 90 * MINUTE, holding=STARTS)
    begun = [minute(one, "provider_retired") for one in starts if one["csp"] == "mhv"]
    assert max(begun) < 30
    assert len(begun) / 6 == pytest.approx(40, rel=0.2)
    (silence,) = truth("provider_retired", 90 * MINUTE)
    assert (silence["kind"], silence["scope"], silence["page"]) == ("silence", "prod/*/mhv", True)
    last = max(e.at + e.lasts for e in SCENARIOS["provider_retired"].episodes)
    assert last == SCENARIOS["provider_retired"].duration
    started = [
        leaf["sign_in"]["started"]
        for record in of("provider_retired").history()
        if record["env"] == "prod" and record["at"].startswith("2026-10-05T15:")
        for leaf in record["leaves"]
        if leaf["axes"].get("csp") == "mhv"
    ]
    assert sum(started) / 12 == pytest.approx(40, rel=0.2)


@pytest.mark.parametrize(("scenario", "moved_by"), [("migration", 12), ("migration_gradual", 190)])
def test_in_a_migration_everybody_moves_and_nobody_fails(scenario: str, moved_by: int) -> None:
    before, after = Counter[str](), Counter[str]()
    for one in events(scenario, rate=1.0, holding=STARTS):
        (after if minute(one, scenario) >= moved_by else before)[one["csp"]] += 1
    assert before["logingov"] > 100
    assert after["logingov"] == 0
    assert after["idme"] > 0.9 * after.total()
    (notice,) = truth(scenario, rate=1.0)
    assert (notice["kind"], notice["scope"], notice["page"]) == ("notice", "prod/*/logingov", False)


def test_an_outage_of_a_client_spares_the_other_and_the_other_method() -> None:
    (outage,) = truth("client_outage")
    assert (outage["kind"], outage["scope"], outage["page"]) == ("outage", "prod/sis/*/vaweb", True)
    failing: dict[tuple[str, str], list[bool]] = {}
    for one in events("client_outage", holding=CALLBACKS):
        if 10 <= minute(one, "client_outage") < 35:
            way = (one["auth_method"], one["client_id"])
            failing.setdefault(way, []).append(one["outcome"] == "failure")
    assert np.mean(failing["sis", "vaweb"]) == pytest.approx(0.9, abs=0.03)
    assert len(failing["sis", "vamobile"]) > 500
    assert np.mean(failing["sis", "vamobile"]) < 0.06
    assert np.mean(failing["ssoe", "vaweb"]) < 0.08


def test_expired_sessions_are_no_trouble() -> None:
    assert truth("expired_sessions", HOUR) == []


def test_a_scanner_calls_three_hundred_times_in_two_minutes_and_is_nobody() -> None:
    found = events("scanner", holding=("MalformedParamsError",))
    scans = [one for one in found if one.get("error_class") == "MalformedParamsError"]
    assert len(scans) == 300
    assert {minute(one, "scanner") for one in scans} == {10, 11}
    assert {(one["step"], one["outcome"], one["error_code"]) for one in scans} == {
        ("callback", "failure", "400")
    }
    for one in scans:
        assert (one["csp"], one["user_hash"]) == (None, None)
        assert not {"client_id", "flow_id", "authentication_time_s"} & one.keys()
    (notice,) = truth("scanner")
    assert (notice["kind"], notice["users"], notice["page"]) == ("notice", 0, False)


def test_a_new_step_comes_beside_sign_ins_from_an_instant_on() -> None:
    found = events("new_step", 40 * MINUTE)
    offered = [one for one in found if one["step"] == "webauthn_options"]
    assert {one["outcome"] for one in offered} == {"offered"}
    assert min(minute(one, "new_step") for one in offered) == 10
    begun = sum(one["step"] == "authorize" and minute(one, "new_step") >= 10 for one in found)
    assert len(offered) / begun == pytest.approx(0.3, abs=0.04)
    assert {one["csp"] for one in offered} == {None}
    healthy = simulate("healthy", 1, SCENARIOS["new_step"].start, 40 * MINUTE, world="today").lines()
    assert len(found) - len(offered) == sum(b'"env":"prod"' in line for line in healthy)


def test_old_scenarios_can_be_played_in_todays_world() -> None:
    (record,) = simulate("sis_outage", 1, SCENARIOS["sis_outage"].start, world="today").truth()
    assert (record["scope"], record["severity"], record["page"]) == ("prod/sis", 1, True)


# -- the history ----------------------------------------------------------------------------------------------


@cache
def records() -> tuple[Event, ...]:
    start = NIGHT + 7 * DAY + 150_000
    return tuple(simulate("healthy", 5, start, MINUTE, RATE, world="today").history())


def test_a_record_has_every_leaf_once_with_its_counts() -> None:
    assert len(records()) == 3 * 14 * 288
    assert [parse_instant(r["at"]) for r in records()[::3]] == list(
        range(NIGHT - 7 * DAY, NIGHT + 7 * DAY, 5 * MINUTE)
    )
    for record in records()[::97]:
        assert (record["v"], record["excluded"]) == (2, [])
        axes = [tuple(leaf["axes"].items()) for leaf in record["leaves"]]
        assert len(axes) == len(set(axes))
        for leaf in record["leaves"]:
            assert leaf["axes"].keys() <= {"auth_method", "csp", "client_id"}
            assert list(leaf) == ["axes", "sign_in", "session"]
            assert any((*leaf["sign_in"].values(), *leaf["session"].values()))
            for name in leaf.keys() - {"axes"}:
                counts = leaf[name]
                assert list(counts) == ["good", "bad", "excluded", "started", "slow", "timed"]
                assert counts["timed"] == counts["good"] + counts["bad"] >= counts["slow"]


def test_it_expects_what_the_traffic_brings() -> None:
    """A day of history and a day of people, counted alike, differ by no more than chance."""
    expected: Counter[tuple[Any, ...]] = Counter()
    for record in records():
        if record["env"] == "prod" and NIGHT <= parse_instant(record["at"]) < NIGHT + DAY:
            for leaf in record["leaves"]:
                axes = tuple(leaf["axes"].get(axis) for axis in ("auth_method", "csp", "client_id"))
                for sli in leaf.keys() - {"axes"}:
                    for counter, count in leaf[sli].items():
                        expected[*axes, sli, counter] += count
    counted = _counted(weekday())
    assert {key for key, count in counted.items() if count > 40} <= expected.keys()
    for key in expected.keys() | counted.keys():
        if key[-1] in ("slow", "timed"):
            continue
        one, other = counted[key], expected[key]
        # Five standard deviations of the difference of two counts; refreshes of one session come together, and the
        # expectation lets a session refresh exactly each five minutes.
        spread = 8 if key[-2] == "session" else 1
        assert abs(one - other) <= 5 * (spread * (one + other + 1)) ** 0.5, (key, one, other)


def _counted(rows: Rows) -> Counter[tuple[Any, ...]]:
    out: Counter[tuple[Any, ...]] = Counter()
    for sli, steps in (("sign_in", SIGN_IN), ("session", SESSION)):
        mine = named(rows, *steps)
        columns = [mine[name].tolist() for name in ("method", "csp", "client", "step", "outcome", "error")]
        for (m, c, k, step, outcome, error), count in Counter(zip(*columns, strict=True)).items():
            counter = {
                "started": "started",
                "success": "good",
                "failure": "excluded" if BY_USER[error] else "bad",
            }.get(OUTCOMES[outcome])
            if counter is not None:
                csp = TODAY.providers[c].name if TODAY.names_csp[step] else None
                client = TODAY.clients[k][0] if TODAY.names_client[step] else None
                out[METHODS[m], csp, client, sli, counter] += count
    return out


def test_callbacks_are_of_flows() -> None:
    callbacks = weekday()[weekday()["step"] == CALLBACK]
    assert np.all(callbacks["flow"] != 0)
