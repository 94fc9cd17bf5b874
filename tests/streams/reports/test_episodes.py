"""What an incident's lines say about it, in whatever order and however often they are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import HOUR, MINUTE
from streams.records.log_lines import read_line
from streams.reports.episodes import Episode, episodes_of
from streams.settings.policy_file import default_policy
from tests.streams.reports.logs import AT, incident, line

POLICY = default_policy()
KEY = "watchofficer:prod-1:0"


def told(*lines: dict[str, Any]) -> list[Episode]:
    return episodes_of([read_line(one) for one in lines])


def test_a_reopened_incident_has_an_episode_for_each_epoch() -> None:
    again = line("reopened", 60, epoch=1, severity=1, peak_severity=1)
    first, second = told(*incident("prod-1", 0, acked=5, over=20), again)
    assert (first.epoch, first.acknowledged_by, first.resolved_reason) == (0, "Ada", "All is quiet.")
    assert (second.epoch, second.opened_at, second.acknowledged_at) == (1, AT + HOUR, None)
    assert second.first_bad_at == second.opened_at


def test_a_trigger_at_a_key_that_has_woken_somebody_wakes_nobody_again() -> None:
    lines = [
        line("opened", 0, page={"dedup_key": KEY, "level": "warning"}),
        line("severity", 1, page={"dedup_key": KEY + ":s2", "level": "error"}),
        line("severity", 2, severity=1, page={"dedup_key": KEY + ":s2", "level": "critical"}),
        line("severity", 3, severity=1, page={"dedup_key": KEY + ":s1", "level": "critical"}),
    ]
    assert [wake.at for wake in told(*lines)[0].wakes] == [AT + MINUTE, AT + 3 * MINUTE]


def test_lines_that_do_not_say_whether_they_paged_are_told_by_their_severity() -> None:
    lines = [line("opened", 0, severity=3), line("severity", 1), line("severity", 2, severity=1)]
    for one in lines:
        del one["page"]
    assert [wake.level for wake in told(*lines)[0].wakes] == ["error"]


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ([(0, 2)], 240),
        ([(0, 1)], 60),
        ([(0, 2), (90, 1)], 90),  # the rise brings the deadline forward, to an instant that has passed
        ([(0, 1), (30, 2)], 240),  # the fall puts it off
        ([(0, 1), (61, 2)], 60),  # too late
    ],
)
def test_the_severity_at_each_instant_selects_the_response_time(
    changes: list[tuple[int, int]], breach: int
) -> None:
    kinds = ["opened", *(["severity"] * (len(changes) - 1))]
    lines = [line(kind, at, severity=to) for kind, (at, to) in zip(kinds, changes, strict=True)]
    (episode,) = told(*lines)
    assert episode.breach_at(POLICY, AT + 10 * HOUR) == AT + breach * MINUTE
    assert episode.breach_at(POLICY, AT + breach * MINUTE) is None
    (answered,) = told(*lines, line("acknowledged", breach, severity=changes[-1][1]))
    assert answered.breach_at(POLICY, AT + 10 * HOUR) is None


@given(st.data())
def test_repeats_and_the_order_of_reading_change_nothing(data: st.DataObject) -> None:
    lines = [*incident("prod-1", 0, acked=5, over=20), *incident("prod-2", 3, acked=None, over=40)]
    lines.append(line("note", 7, by="Bo", reason="Called IAM."))
    repeated = data.draw(st.permutations(lines + data.draw(st.lists(st.sampled_from(lines), max_size=4))))
    assert told(*repeated) == told(*lines)
