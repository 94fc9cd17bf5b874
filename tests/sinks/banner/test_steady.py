"""A banner stands while people cannot sign in, and does not flicker."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, SECOND
from sinks.banner.banner import BADNESS
from sinks.banner.board import BannerBoard
from tests.sinks.banner.making import POLICY, T, states
from tests.sinks.samples import OPENED, incident


def failing(bad: int, good: int, **more: Any) -> Incident:
    one = incident(**{"severity": 2, "failing_ratio": bad / (bad + good), **more})
    assert one.counts_now is not None
    return replace(one, counts_now=replace(one.counts_now, good=good, bad=bad, users_impacted=bad))


@pytest.mark.parametrize(
    ("bad", "good", "shown"),
    [(60, 940, False), (70, 930, True), (6, 94, False), (11, 89, True), (2, 0, True)],
)
def test_a_banner_begins_where_surely_five_percent_fail(bad: int, good: int, *, shown: bool) -> None:
    assert bool(states(failing(bad, good))) == shown


def test_of_a_young_incident_only_the_successes_of_its_own_time_count() -> None:
    one = failing(10, 600, failing_ratio=0.7, first_bad_at=T - 5 * SECOND)
    assert states(one) == {"prod/ssoe": "warning"}
    assert states(replace(one, first_bad_at=T - 200 * SECOND)) == {}


def test_where_success_has_collapsed_failures_that_are_the_persons_own_act_elsewhere_count() -> None:
    one = failing(0, 110, failing_ratio=0.58)
    assert one.counts_now is not None
    declined = replace(one, counts_now=replace(one.counts_now, excluded=150))
    assert states(declined) == {"prod/ssoe": "warning"}
    assert states(replace(declined, failing_ratio=0.4)) == {}


def test_failing_sessions_set_no_banner() -> None:
    assert states(replace(failing(0, 600, failing_ratio=0.9))) == {}


def test_a_silence_sets_one_though_nobody_fails() -> None:
    assert states(failing(0, 0 + 1, failing_ratio=1.0, causes=("silence",))) == {"prod/ssoe": "warning"}


def _board(*shown: Incident) -> BannerBoard:
    board = BannerBoard("prod", POLICY)
    board.update(OPENED, shown)
    return board


def state_of(board: BannerBoard, key: str = "prod/ssoe") -> str:
    return next(banner.state for banner in board.shown() if banner.key == key)


def test_it_stands_until_all_but_five_percent_succeed_while_it_recovers() -> None:
    board = _board(failing(500, 500))
    for at, one, state in [
        (1, failing(30, 970), "warning"),
        (2, failing(30, 970, severity=3), "warning"),
        (3, failing(100, 900, state="recovering"), "warning"),
        (4, failing(40, 960, state="recovering"), "ok"),
        (5, failing(55, 945), "ok"),
        (6, failing(200, 800), "warning"),
        (7, failing(200, 800, state="resolved"), "ok"),
    ]:
        board.update(OPENED + at * 20 * MINUTE, [one])
        assert state_of(board) == state, at


def test_after_the_fourth_change_of_an_hour_a_banner_stays_and_shows_the_worst() -> None:
    board = _board(failing(500, 500))
    over = failing(500, 500, state="resolved")
    said = []
    for minute in range(1, 100):
        board.update(
            OPENED + minute * MINUTE, [failing(500, 500, severity=1) if minute in (10, 30) else over]
        )
        said.append(state_of(board))
    assert said[0] == "ok"
    assert said[8:10] == ["ok", "critical"]
    assert said[10:58] == ["critical"] * 48, "an easing waits until the first change is an hour old"
    assert said[-1] == "ok"


def test_held_changes_and_their_hour_survive_a_restart() -> None:
    board, again = _board(failing(500, 500)), BannerBoard("prod", POLICY)
    over = failing(500, 500, state="resolved")
    for minute, one in [(1, over), (2, failing(500, 500)), (3, over)]:
        board.update(OPENED + minute * MINUTE, [one])
    again.restore(board.shown())
    for each in (board, again):
        each.update(OPENED + 20 * MINUTE, [over])
        assert state_of(each) == "warning"
        each.update(OPENED + 61 * MINUTE, [over])
        assert state_of(each) == "ok"


FLICKERING = st.lists(
    st.tuples(
        st.integers(1, 15), st.sampled_from(["resolved", 1, 2, 3, "recovering"]), st.sampled_from(["a", "b"])
    ),
    max_size=60,
)


@given(FLICKERING)
@example([(1, 2, "a"), (1, 2, "b"), (1, "resolved", "a"), (1, 2, "a"), (1, 1, "a")])
def test_whatever_flickers_a_key_changes_four_times_an_hour_and_a_worsening_is_never_held(
    steps: list[tuple[int, str | int, str]],
) -> None:
    board = BannerBoard("prod", POLICY)
    at, changes = OPENED, []
    for minutes, what, name in steps:
        at += minutes * MINUTE
        severity, state = (what, "open") if isinstance(what, int) else (2, what)
        one = failing(500, 500, id=name, severity=severity, state=state)
        changes += [at for banner in board.update(at, [one]) if banner.key == "prod/ssoe"]
        asked = {1: "critical", 2: "warning", 3: "ok"}[severity] if state in ("open", "recovering") else "ok"
        assert BADNESS[state_of(board)] >= BADNESS[asked]  # type: ignore[index]
    for change in changes:
        assert sum(change <= other < change + HOUR for other in changes) <= 4
