"""A live run is compared with a replay of its log, which ends with the log's last event."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.instants import MINUTE, format_instant
from tests.faults.judgement.judged_again import Verdicts, history_by_then
from tests.support.oracle import NOON

_KEY = f"prod|{format_instant(NOON)}"


def five_minutes(at: int, good: int) -> dict[str, Any]:
    return {"env": "prod", "at": format_instant(at), "scopes": {"prod": {"good": good}} if good else {}}


@pytest.mark.parametrize(
    ("written", "ended", "held"),
    [
        # a late event was counted at 12:10, which the replay reached as well, or did not
        ([(NOON, 0), (NOON, 1), (NOON + 5 * MINUTE, 4)], 10, 1),
        ([(NOON, 0), (NOON, 1), (NOON + 5 * MINUTE, 4)], 9, 0),
        # no environment continued, so the last records are compared with the replay
        ([(NOON, 0), (NOON, 1)], 9, 1),
        # the replay has a record that was never written
        ([(NOON, 2), (NOON, 1), (NOON + 5 * MINUTE, 4)], 9, 1),
    ],
)
def test_five_minutes_may_be_written_anew_only_beyond_the_replay(
    written: list[tuple[int, int]], ended: int, held: int
) -> None:
    again = Verdicts(history={_KEY: five_minutes(NOON, 0)}, until=NOON + ended * MINUTE)
    history = history_by_then([five_minutes(*one) for one in written], again)
    assert history[_KEY] == five_minutes(NOON, held)
