"""The simulated history is what the simulated traffic would have left behind."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from detectors.scopes import CSPS, METHODS, OUTCOMES, STEPS
from streams.simulate import simulate
from streams.simulate.errors import BY_USER

START = parse_instant("2026-10-13T00:02:30-04:00")
MEASURED = parse_instant("2026-10-06T00:00:00-04:00")


@cache
def records() -> tuple[dict[str, Any], ...]:
    return tuple(simulate("healthy", 5, START, MINUTE).history())


def of_prod() -> list[dict[str, Any]]:
    return [r for r in records() if r["env"] == "prod"]


def test_it_is_two_weeks_of_whole_five_minutes_before_the_start_for_each_environment() -> None:
    ats = {
        env: [parse_instant(r["at"]) for r in records() if r["env"] == env]
        for env in ("prod", "staging", "dev")
    }
    assert ats["prod"] == ats["staging"] == ats["dev"]
    assert ats["prod"] == list(range(START - 150_000 - 14 * DAY, START - 150_000, 5 * MINUTE))
    assert len(records()) == 3 * 14 * 288


def test_scopes_add_up() -> None:
    for record in of_prod()[::37]:
        scopes = {scope: Counter(counts) for scope, counts in record["scopes"].items()}
        for method in METHODS:
            narrow = sum((scopes.get(f"prod/{method}/{csp}", Counter()) for csp in CSPS), Counter())
            # Tokens carry no provider, and are counted on the method alone.
            assert narrow <= scopes[f"prod/{method}"]
            assert narrow == scopes[f"prod/{method}"] or method == "sis"
        for csp in CSPS:
            both = sum((scopes.get(f"prod/{method}/{csp}", Counter()) for method in METHODS), Counter())
            assert both == scopes.get(f"prod/*/{csp}", Counter())
        assert scopes["prod"] == scopes["prod/ssoe"] + scopes["prod/sis"]
        assert all(c["timed"] == c["good"] + c["bad"] and c["slow"] <= c["timed"] for c in scopes.values())


def test_it_expects_what_the_traffic_brings() -> None:
    """A day of history and a day of people, counted the same way, differ by no more than chance."""
    rows = np.concatenate(list(simulate("healthy", 6, MEASURED, DAY).batches()))
    rows = rows[
        (rows["env"] == 0)
        & np.isin(rows["step"], [STEPS.index(s) for s in ("new", "authorize", "callback", "token")])
    ]
    failed = rows["outcome"] == OUTCOMES.index("failure")
    by_user = BY_USER[rows["error"]]
    classes = {
        "started": rows["outcome"] == OUTCOMES.index("started"),
        "good": rows["outcome"] == OUTCOMES.index("success"),
        "bad": failed & ~by_user,
        "excluded": failed & by_user,
    }
    token = rows["step"] == STEPS.index("token")
    expected: Counter[tuple[str, str]] = Counter()
    for record in of_prod():
        if MEASURED <= parse_instant(record["at"]) < MEASURED + DAY:
            for scope, counts in record["scopes"].items():
                for counter, count in counts.items():
                    expected[scope, counter] += count
    for m, method in enumerate(METHODS):
        scopes = {f"prod/{method}": rows["method"] == m}
        scopes |= {
            f"prod/{method}/{csp}": (rows["method"] == m) & (rows["csp"] == c) & ~token
            for c, csp in enumerate(CSPS)
        }
        for scope, inside in scopes.items():
            for counter, mask in classes.items():
                counted, drawn = int(np.count_nonzero(inside & mask)), expected[scope, counter]
                # Five standard deviations of the difference of two Poisson counts.
                assert abs(counted - drawn) <= 5 * (counted + drawn + 1) ** 0.5, (scope, counter)


def test_it_has_the_shape_of_days_and_weeks() -> None:
    started = Counter[int]()
    for record in of_prod():
        started[parse_instant(record["at"]) // HOUR * HOUR] += record["scopes"]["prod"]["started"]

    def at(text: str) -> int:
        return started[parse_instant(text)]

    assert at("2026-10-06T14:00:00-04:00") == pytest.approx(9200, rel=0.06)
    assert at("2026-10-10T14:00:00-04:00") == pytest.approx(0.45 * 9200, rel=0.08)
    assert at("2026-10-12T14:00:00-04:00") == pytest.approx(0.45 * 9200, rel=0.08)  # Columbus Day
    assert at("2026-10-06T03:00:00-04:00") < 300


def test_its_noise_is_that_of_counting() -> None:
    flat = [
        r["scopes"]["prod/ssoe"]["started"]
        for r in of_prod()
        if MEASURED + 10 * HOUR <= parse_instant(r["at"]) < MEASURED + 17 * HOUR
    ]
    assert 0.5 < np.var(flat) / np.mean(flat) < 1.8


def test_dev_has_records_where_nothing_came() -> None:
    empty = [r for r in records() if r["env"] == "dev" and list(r["scopes"]) == ["dev"]]
    assert empty
    assert not any(empty[0]["scopes"]["dev"].values())
