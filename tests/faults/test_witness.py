"""A stall that nobody was told of is found, and so is an alert about a watch that gets on."""

from __future__ import annotations

from tests.faults.judgement.witness import stalls

SECOND = 1_000
BLIND_AFTER = 20.0  # with the five seconds that topics show less, a stall begins at 25


def standing(begin: int, end: int) -> list[tuple[int, int]]:
    """Samples of 200 s, in each second, of which evaluation stands still from one (s) to another."""
    return [(at * SECOND, (3 + (at - begin if begin < at <= end else 0)) * SECOND) for at in range(200)]


WELL, STALLED = standing(0, 0), standing(50, 120)  # behind by more than it may be from second 73 on


def test_a_watch_that_gets_on_and_says_nothing_is_well() -> None:
    found = stalls(WELL, [], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.unsaid, found.untrue) == ([], [], [])


def test_a_stall_that_nobody_is_told_of_in_time_is_unsaid() -> None:
    assert len(stalls(STALLED, [], [], blind_after=BLIND_AFTER).unsaid) == 1
    late = [("lag", 110 * SECOND, None)]
    assert len(stalls(STALLED, late, [], blind_after=BLIND_AFTER).unsaid) == 1


def test_a_stall_that_somebody_is_told_of_is_said_and_its_delay_counted() -> None:
    found = stalls(STALLED, [("lag", 78 * SECOND, 125 * SECOND)], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.told_after, found.unsaid, found.untrue) == ([47.0], [5.0], [], [])


def test_what_was_said_before_the_stall_is_heard_at_its_beginning() -> None:
    found = stalls(
        STALLED, [("broker", 60 * SECOND, None)], [(40 * SECOND, 120 * SECOND)], blind_after=BLIND_AFTER
    )
    assert (found.told_after, found.unsaid, found.untrue) == ([0.0], [], [])


def test_a_stall_that_ends_before_anybody_must_be_told_is_no_fault() -> None:
    found = stalls(standing(50, 95), [], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.unsaid) == ([22.0], [])


def test_an_alert_while_the_watch_gets_on_is_untrue_unless_something_was_done_to_it() -> None:
    alerts = [("lag", 100 * SECOND, None)]
    assert len(stalls(WELL, alerts, [], blind_after=BLIND_AFTER).untrue) == 1
    done = [(70 * SECOND, 99 * SECOND)]
    assert stalls(WELL, alerts, done, blind_after=BLIND_AFTER).untrue == []
