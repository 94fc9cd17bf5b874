"""A stall that nobody was told of is found, and so is an alert about a watch that gets on."""

from __future__ import annotations

from tests.faults.witness import stalls

SECOND = 1_000
BLIND_AFTER = 20.0


def advancing(begin: int, end: int) -> list[int]:
    """Instants (ms) a second apart, from one (s) to another."""
    return list(range(begin * SECOND, end * SECOND + 1, SECOND))


def test_a_watch_that_gets_on_and_says_nothing_is_well() -> None:
    found = stalls(advancing(0, 200), [], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.unsaid, found.untrue) == ([], [], [])


def test_a_stall_that_nobody_is_told_of_in_time_is_unsaid() -> None:
    advances = [*advancing(0, 50), *advancing(120, 200)]
    assert len(stalls(advances, [], [], blind_after=BLIND_AFTER).unsaid) == 1
    late = [("lag", 110 * SECOND, None)]
    assert len(stalls(advances, late, [], blind_after=BLIND_AFTER).unsaid) == 1


def test_a_stall_that_somebody_is_told_of_is_said_and_its_delay_counted() -> None:
    advances = [*advancing(0, 50), *advancing(120, 200)]
    found = stalls(advances, [("lag", 75 * SECOND, 125 * SECOND)], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.told_after, found.unsaid, found.untrue) == ([70.0], [25.0], [], [])


def test_a_stall_that_ends_before_anybody_must_be_told_is_no_fault() -> None:
    advances = [*advancing(0, 50), *advancing(95, 200)]
    found = stalls(advances, [], [], blind_after=BLIND_AFTER)
    assert (found.stalls, found.unsaid) == ([45.0], [])


def test_an_alert_while_the_watch_gets_on_is_untrue_unless_something_was_done_to_it() -> None:
    alerts = [("lag", 100 * SECOND, None)]
    assert len(stalls(advancing(0, 200), alerts, [], blind_after=BLIND_AFTER).untrue) == 1
    done = [(70 * SECOND, 99 * SECOND)]
    assert stalls(advancing(0, 200), alerts, done, blind_after=BLIND_AFTER).untrue == []
