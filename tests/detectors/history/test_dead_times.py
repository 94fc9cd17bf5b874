"""Half hours that are found dead once are so for every window of an hour, until a record of the past changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.arrays import Floats
from detectors.history.history import BUCKET, FIELDS, History
from detectors.instants import DAY, HOUR, MINUTE

AT = 1_795_435_200_000  # noon, UTC, a Monday
A_WEEK_AGO = AT - 7 * DAY
WINDOWS = (5 * MINUTE, HOUR)


def record(at: int, good: int) -> Mapping[str, object]:
    counts = dict.fromkeys(FIELDS, 0) | {"good": good, "started": good}
    return {"v": 2, "env": "prod", "at": at, "leaves": [{"axes": {"auth_method": "ssoe"}, "sign_in": counts}]}


def history(*more: Mapping[str, object]) -> History:
    """Return the hours around noon of five weeks; a week ago nobody came in the half hours before and after noon."""
    found = History("prod")
    for day in range(36, 5, -1):
        noon = AT - day * DAY
        for at in range(noon - HOUR, noon + HOUR, BUCKET):
            found.add(record(at, 0 if abs(at - A_WEEK_AGO) < 30 * MINUTE else 60 - day))
    found.extend(more)
    return found


def usual(of: History, windows: Sequence[int]) -> dict[int, Floats]:
    ends = np.arange(AT, AT + HOUR, 10 * MINUTE, dtype=np.int64)
    return {window: of.expected(ends, window) for window in windows}


def test_windows_that_share_half_hours_are_judged_like_each_alone_and_anew_after_a_revision() -> None:
    shared = history()
    before = usual(shared, WINDOWS)
    np.testing.assert_equal(before, usual(history(), WINDOWS[::-1]))
    alive = [record(at, 58) for at in range(A_WEEK_AGO - 30 * MINUTE, A_WEEK_AGO + 30 * MINUTE, BUCKET)]
    shared.extend(alive)
    after = usual(shared, WINDOWS)
    np.testing.assert_equal(after, usual(history(*alive), WINDOWS))
    assert not np.array_equal(after[HOUR], before[HOUR])
