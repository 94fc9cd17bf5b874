"""A producer whose clock is wrong is named with its offset, and late delivery in general is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, SECOND
from detectors.notices.clocks import ClockWatch, WrongClock
from detectors.notices.notices import NoticeWatch
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import ON_TIME, FactRow
from streams.settings.policy_file import default_policy

NOON = 1_795_435_200_000
POLICY = default_policy()
SIS, SSOE, ARP = ("sis", "idme", "vaweb"), ("ssoe", "idme", "vaweb"), ("sis", "logingov", "arp")
Leaf = tuple[str, str, str]


def rows(lateness: Callable[[Leaf, int], int], minutes: int = 4) -> list[FactRow]:
    """Return an event a second of each leaf, late by some seconds, in order of arrival."""
    out = []
    for second in range(1, minutes * 60 + 1):
        at = NOON + second * SECOND
        for leaf in (SIS, SSOE, ARP):
            late = lateness(leaf, second)  # below 0 for what arrives before its time
            first = at if late else ON_TIME
            out.append(FactRow(at - SECOND - late * SECOND, first, leaf, "callback", "success", count=1))
    return out


def found(facts: list[FactRow], parts: int = 1, *, leapt: bool = False) -> WrongClock | None:
    watch = ClockWatch("prod", POLICY.axes, POLICY.step, POLICY.watermark_delay)
    size = -(-len(facts) // parts)
    for n in range(0, len(facts), size):
        some = FactColumns.of(facts[n : n + size], SECOND)
        watch.announce(some[some.ahead])
        watch.add(some)
    return watch.due(NOON + 4 * MINUTE, leapt=leapt)


@given(parts=st.integers(1, 50))
def test_a_producer_whose_clock_is_behind_is_named_by_its_method(parts: int) -> None:
    facts = rows(lambda leaf, _: 298 if leaf is SSOE else 0)
    assert found(facts, parts) == WrongClock("auth_method", "ssoe", -5 * MINUTE, 180)


def test_it_is_named_by_its_client_if_that_alone_is_behind() -> None:
    facts = rows(lambda leaf, _: 58 if leaf is ARP else 0)
    assert found(facts) == WrongClock("csp", "logingov", -MINUTE, 180)


def test_a_producer_whose_clock_is_ahead_makes_all_others_late() -> None:
    facts = rows(lambda leaf, _: 0 if leaf is SSOE else 88)
    assert found(facts) == WrongClock("auth_method", "ssoe", 90 * SECOND, 360)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(SSOE, ("auth_method", "ssoe")), (ARP, ("csp", "logingov")), (SIS, None), (None, None)],
)
def test_where_a_clock_has_made_time_leap_nobody_is_behind(
    wrong: Leaf | None, named: tuple[str, str] | None
) -> None:
    said = found(rows(lambda leaf, _: 0 if leaf is wrong else 88), leapt=True)
    assert said == (None if named is None else WrongClock(*named, 90 * SECOND, 360))


def test_while_its_last_minutes_hold_events_on_time_one_that_is_behind_makes_no_other_ahead() -> None:
    facts = rows(lambda leaf, second: 298 if leaf is SSOE and second > 100 else 0)
    assert found(facts) is None


@given(parts=st.integers(1, 50))
def test_one_whose_clock_is_ahead_of_the_brokers_is_named_by_its_own_events(parts: int) -> None:
    facts = rows(lambda leaf, _: -92 if leaf is SSOE else 0)
    assert found(facts, parts) == WrongClock("auth_method", "ssoe", 90 * SECOND, 180, by_broker=True)


def test_where_all_are_ahead_of_the_broker_the_environment_is_named() -> None:
    assert found(rows(lambda *_: -62)) == WrongClock("env", "prod", MINUTE, 540, by_broker=True)


def test_where_all_are_late_alike_the_environment_is_named() -> None:
    assert found(rows(lambda *_: 118)) == WrongClock("env", "prod", -2 * MINUTE, 540)


@pytest.mark.parametrize(
    "lateness",
    [
        lambda leaf, second: 0,
        lambda leaf, second: 5,
        lambda leaf, second: -15,
        lambda leaf, second: -92 if second % 5 == 0 else 0,  # a fifth of all are ahead
        lambda leaf, second: 120 if second % 5 == 0 else 0,  # a fifth of all are late
        lambda leaf, second: 20 + second * 37 % 160 if leaf is SSOE else 0,  # late, but by no one offset
        lambda leaf, second: 298 if leaf is SSOE and second < 100 else 0,  # it was put right
    ],
)
def test_late_delivery_is_no_wrong_clock(lateness: Callable[[Leaf, int], int]) -> None:
    assert found(rows(lateness)) is None


def test_it_is_told_once_in_words() -> None:
    watch = NoticeWatch("prod", POLICY)
    watch.add(FactColumns.of(rows(lambda leaf, _: 298 if leaf is SSOE else 0), SECOND))
    (notice,) = watch.due(NOON + 4 * MINUTE)
    assert (notice.kind, notice.field, notice.value) == ("clock", "auth_method", "ssoe")
    assert "producer of auth_method ssoe in prod is 5m behind" in notice.text
    watch.add(FactColumns.of([FactRow(NOON + 5 * MINUTE, 0, SIS, "callback", "success", count=1)], SECOND))
    assert watch.due(NOON + 5 * MINUTE) == []
