"""A fast clock never goes back, and waits for who makes what happens at its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.clocks import FastClock


def test_a_clock_that_waited_goes_on_from_where_it_stood_at_its_pace() -> None:
    real = [1_000_000]
    clock = FastClock(600_000, 60.0, lambda: real[0])
    clock.release()
    clock.wait_at(clock.start + 30_000)
    real[0] += 2_000
    assert clock() == clock.start + 30_000
    clock.wait_at(clock.start + 90_000)
    assert clock() == clock.start + 30_000  # and not at once where it would have been
    real[0] += 500
    assert clock() == clock.start + 60_000


@given(st.lists(st.tuples(st.integers(0, 5_000), st.none() | st.integers(0, 400_000)), max_size=30))
def test_a_clock_never_goes_back_and_shows_no_later_instant_than_it_may(
    steps: list[tuple[int, int | None]],
) -> None:
    real = [1_000_000]
    clock = FastClock(300_000, 60.0, lambda: real[0])
    clock.release()
    shown, stop = clock(), None
    for passed, at in steps:
        real[0] += passed
        if at is not None:
            stop = max(clock.start + at, clock())
            clock.wait_at(clock.start + at)
        now = clock()
        assert shown <= now <= real[0]
        assert stop is None or now <= stop
        shown = now
