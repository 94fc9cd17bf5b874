"""Simulated traffic has the shape of real traffic."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from detectors.scopes import CSPS, ENVS, METHODS, STEPS
from streams.simulate import simulate
from streams.simulate.demand import Demand
from streams.simulate.errors import BY_USER, ERRORS
from streams.simulate.rows import Rows
from streams.simulate.worlds.world import FAILURE

MIDNIGHT = parse_instant("2026-10-06T00:00:00-04:00")
AUTHORIZE, CALLBACK, TOKEN, REFRESH = (STEPS.index(s) for s in ("authorize", "callback", "token", "refresh"))
SSOE, SIS = range(2)


@cache
def weekday() -> Rows:
    """A whole Tuesday of every environment."""
    return np.concatenate(list(simulate("healthy", 11, MIDNIGHT, DAY, 2.5).batches()))


def prod() -> Rows:
    rows: Rows = weekday()[weekday()["env"] == 0]
    return rows


def starts() -> Rows:
    rows: Rows = prod()[prod()["step"] <= AUTHORIZE]
    return rows


def callbacks() -> Rows:
    rows: Rows = prod()[prod()["step"] == CALLBACK]
    return rows


def share(mask: Any) -> float:
    return float(np.mean(mask))


@pytest.mark.long
def test_a_weekday_has_the_volume_that_is_published() -> None:
    # 60,000 to 200,000 sign-ins a day, 3 to 5 events each besides the refreshes of tokens.
    assert 90_000 < len(starts()) < 130_000
    assert 700_000 < len(weekday()) < 1_200_000
    assert share(prod()["step"] == REFRESH) > 0.5


def test_the_peak_is_as_busy_as_the_rate_says_and_the_night_is_quiet() -> None:
    per_hour = np.bincount((starts()["t"] - MIDNIGHT) // HOUR, minlength=24)
    # 2.5 a second, and up to 5 % more who try again.
    assert all(0.96 * 9000 < n < 1.08 * 9000 for n in per_hour[10:17])
    assert all(30 < n < 4 * 60 for n in per_hour[2:4])
    assert per_hour[7] < per_hour[8] < per_hour[9]
    assert per_hour[18] > per_hour[20] > per_hour[22]


def test_events_come_in_order_of_time_inside_the_run_alone() -> None:
    t = weekday()["t"]
    assert np.all(np.diff(t) >= 0)
    assert t[0] >= MIDNIGHT
    assert t[-1] < MIDNIGHT + DAY


def test_a_run_begins_with_sessions_and_sign_ins_under_way() -> None:
    noon = MIDNIGHT + 12 * HOUR
    first = np.concatenate(list(simulate("healthy", 2, noon, 2 * MINUTE).batches()))
    later = weekday()[(weekday()["t"] >= noon) & (weekday()["t"] < noon + 2 * MINUTE)]
    assert 0.85 < len(first) / len(later) < 1.15
    assert np.count_nonzero(first["step"] == CALLBACK) > 100


def test_methods_and_providers_have_their_shares() -> None:
    assert share(starts()["method"] == SSOE) == pytest.approx(0.70, abs=0.01)
    shares = np.bincount(starts()["csp"], minlength=len(CSPS)) / len(starts())
    assert shares == pytest.approx([0.45, 0.40, 0.08, 0.07], abs=0.015)
    on_sis = np.bincount(starts()["csp"][starts()["method"] == SIS], minlength=len(CSPS))
    assert on_sis[0] > on_sis[1] > 5 * on_sis[2] > on_sis[2] > on_sis[3] > 100


def test_some_28_percent_of_those_who_start_are_never_seen_again() -> None:
    assert 1 - len(callbacks()) / len(starts()) == pytest.approx(0.28, abs=0.01)


def test_people_come_back_from_their_provider_after_20_to_120_seconds() -> None:
    began = dict(zip(starts()["flow"].tolist(), starts()["t"].tolist(), strict=True))
    away = [
        t - began[f]
        for f, t in zip(callbacks()["flow"].tolist(), callbacks()["t"].tolist(), strict=True)
        if f in began
    ]
    assert 20_000 <= min(away) < 22_000
    assert 110_000 < max(away) <= 120_000
    assert len(away) > 0.99 * len(callbacks())


def test_user_errors_are_few_and_server_errors_fewer() -> None:
    failed = prod()[prod()["outcome"] == FAILURE]
    by_user = BY_USER[failed["error"]]
    assert 0.01 < np.count_nonzero(by_user) / len(callbacks()) < 0.05
    completed = prod()[np.isin(prod()["step"], (CALLBACK, TOKEN))]
    assert 0.0001 < np.count_nonzero(~by_user) / len(completed) < 0.001
    codes = {ERRORS[e][0] for e in failed["error"].tolist()}
    assert {"001", "002", "005", "009", "101", "102", "106", "007", None} <= codes
    denied = failed[[ERRORS[e][0] == "009" for e in failed["error"].tolist()]]
    assert {CSPS[c] for c in denied["csp"].tolist()} == {"logingov"}


def test_most_requests_are_faster_than_the_sla_asks_and_a_few_are_not() -> None:
    for method, threshold in ((SSOE, 2430), (SIS, 1200)):
        slow = share(callbacks()["duration"][callbacks()["method"] == method] >= threshold)
        assert 0.0002 < slow < 0.01


def test_each_sis_sign_in_fetches_a_token_and_only_sis_refreshes() -> None:
    succeeded = np.count_nonzero((callbacks()["method"] == SIS) & (callbacks()["outcome"] != FAILURE))
    tokens = prod()[prod()["step"] == TOKEN]
    assert len(tokens) == pytest.approx(succeeded, abs=5)
    assert set(tokens["method"].tolist()) == {SIS}
    assert set(prod()["method"][prod()["step"] == REFRESH].tolist()) == {SIS}


def test_a_session_refreshes_every_five_minutes() -> None:
    refreshes = prod()[prod()["step"] == REFRESH]
    # Of people with one session only, gaps are not mixed with those between sessions.
    order = np.lexsort((refreshes["t"], refreshes["person"]))
    same = np.diff(refreshes["person"][order]) == 0
    gaps = np.diff(refreshes["t"][order])[same]
    within = gaps[gaps < 10 * MINUTE]
    assert np.median(within) == pytest.approx(5 * MINUTE, rel=0.02)
    assert share(np.abs(within - 5 * MINUTE) <= 16_000) > 0.98


def test_staging_has_a_fiftieth_of_the_volume_and_dev_a_trickle() -> None:
    counts = np.bincount(weekday()["env"], minlength=len(ENVS))
    assert counts[1] / counts[0] == pytest.approx(0.02, rel=0.15)
    assert 0 < counts[2] < counts[1] / 5
    assert counts[3] == 0


def test_weekends_and_federal_holidays_bring_under_half() -> None:
    def of_day(text: str) -> float:
        return float(Demand(2.5).expected(parse_instant(text), 24, HOUR).sum())

    tuesday = of_day("2026-10-06T00:00:00-04:00")
    for other in ("2026-10-10", "2026-10-11", "2026-10-12"):  # Saturday, Sunday, Columbus Day
        assert of_day(f"{other}T00:00:00-04:00") / tuesday == pytest.approx(0.45, abs=0.01)
    assert 0.85 < of_day("2026-10-09T00:00:00-04:00") / tuesday < 0.92  # a Friday


def test_the_day_follows_new_yorks_clock_through_both_changes() -> None:
    demand = Demand(2.5)

    def at(text: str) -> float:
        return float(demand.per_second(np.array([parse_instant(text)]))[0])

    assert at("2026-03-06T12:00:00-05:00") == at("2026-03-13T12:00:00-04:00")
    assert at("2026-11-01T01:30:00-04:00") == at("2026-11-01T01:30:00-05:00")
    assert at("2026-10-07T10:00:00-04:00") == pytest.approx(2.5 * 0.97)


def test_people_who_failed_try_again_with_a_new_flow() -> None:
    rows = np.concatenate(list(simulate("ssoe_outage", 4, MIDNIGHT + 14 * HOUR).batches()))
    failed = rows[(rows["cause"] == 0) & (rows["outcome"] == FAILURE)]
    people, times = np.unique(failed["person"], return_counts=True)
    assert 1.4 < times.mean() < 3
    assert times.max() > 4
    assert len(np.unique(failed["flow"])) == len(failed)
    assert share(failed["identified"]) == pytest.approx(0.95, abs=0.02)
    assert len(people) > 1500
    assert {METHODS[m] for m in failed["method"].tolist()} == {"ssoe"}
