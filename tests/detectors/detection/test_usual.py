"""Usual shares of returns and of error codes follow from the days of the history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.history.arrivals import Returns
from detectors.history.history import BUCKET, FIELDS, History
from detectors.instants import DAY
from detectors.scopes import SCOPES
from detectors.windows.counters import GOOD, STARTED
from detectors.windows.fixed_scopes import fixed_scopes

START = 1_795_392_000_000  # midnight, UTC
SSOE, SIS, IDME = (SCOPES.index(name) for name in ("ssoe", "sis", "ssoe/idme"))


def record(at: int, codes: dict[str, dict[str, int]] | None = None, **counts: int) -> dict[str, Any]:
    full = dict.fromkeys(FIELDS, 0) | counts
    out: dict[str, Any] = {"env": "prod", "at": at, "scopes": {"prod": full, "prod/ssoe": full}}
    return out if codes is None else out | {"codes": codes}


def days(count: int, codes: dict[str, dict[str, int]] | None = None, **counts: int) -> History:
    history = History("prod")
    for day in range(count):
        history.add(record(START + day * DAY + 100 * BUCKET, codes, **counts))
    return history


def test_the_usual_share_of_a_code_is_the_median_of_the_days() -> None:
    history = days(13, {"prod/ssoe": {"005": 4, "001": 2}}, good=196, excluded=4)
    history.add(record(START + 13 * DAY, {"prod/ssoe": {"005": 150}}, good=50, excluded=150))
    at = START + 14 * DAY + 1
    assert history.usual_share_of_code("005", at)[SSOE] == pytest.approx(0.02)
    assert history.usual_share_of_code("001", at)[SSOE] == pytest.approx(0.01)
    assert history.usual_share_of_code("007", at)[SSOE] == 0.0
    assert history.usual_user_errors(at)[SSOE] == pytest.approx(0.02)
    assert np.isnan(history.usual_share_of_code("005", at)[SIS]), (
        "of a scope without traffic nothing is known"
    )


def test_days_without_any_codes_say_nothing_of_codes() -> None:
    history = days(14, good=200)
    assert np.isnan(history.usual_share_of_code("005", START + 14 * DAY + 1)).all()
    history.add(record(START + 13 * DAY + 100 * BUCKET, {"prod/ssoe": {"001": 2}}, good=98, excluded=2))
    assert history.usual_share_of_code("001", START + 14 * DAY + 1)[SSOE] == pytest.approx(0.02)


def test_the_usual_return_ratio_is_the_median_of_the_days() -> None:
    history = days(14, started=200, good=130, bad=4, excluded=10)
    usual = history.usual_return_ratio(START + 14 * DAY + 1)
    assert usual[SSOE] == pytest.approx(0.72)
    assert np.isnan(usual[IDME])


def test_tokens_are_no_returns() -> None:
    counts = np.zeros((len(SCOPES), len(FIELDS)))
    for name in ("sis/idme", "*/idme", "sis", ""):
        counts[SCOPES.index(name), [GOOD, STARTED]] = 70, 100
    counts[SIS, GOOD] += 70
    counts[0, GOOD] += 70 + 30
    counts[SSOE, [GOOD, STARTED]] = 30, 50
    counts[0, STARTED] += 50
    both = Returns(fixed_scopes("prod"))(counts)
    assert both[SIS].tolist() == [100, 70]
    assert both[0].tolist() == [150, 100]
    assert both[SSOE].tolist() == [50, 30]


def test_codes_are_given_back_and_a_revision_replaces_them() -> None:
    first = {"prod": {"005": 4}, "prod/ssoe": {"005": 4}}
    history = days(3, first, good=10)
    assert [one["codes"] for one in history.records()] == [first] * 3
    history.add(record(START + 100 * BUCKET, {"prod": {"007": 1}}, good=10))
    history.add(record(START + DAY + 100 * BUCKET, good=10))
    assert [one.get("codes") for one in history.records()] == [{"prod": {"007": 1}}, None, first]


def test_codes_move_with_their_records_when_old_ones_are_dropped_or_older_ones_come() -> None:
    history = days(2, {"prod": {"005": 4}}, good=10)
    history.add(record(START - 3 * DAY, {"prod": {"001": 1}}, good=10))
    history.add(record(START + 36 * DAY, {"prod": {"007": 9}}, good=10))
    kept = {one["at"][:10]: one["codes"] for one in history.records()}
    assert list(kept.values())[-1] == {"prod": {"007": 9}}
    assert all(codes == {"prod": {"005": 4}} for codes in list(kept.values())[:-1])


@pytest.mark.parametrize("codes", [{"staging/ssoe": {"005": 1}}, {"staging": {"005": 1}}])
def test_codes_of_a_scope_that_there_is_not_are_refused(codes: dict[str, dict[str, int]]) -> None:
    history = days(1, good=3)
    with pytest.raises(ValueError, match="is no scope"):
        history.add(record(START, codes, good=3))
