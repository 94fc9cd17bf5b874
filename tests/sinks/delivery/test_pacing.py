"""How fast requests go to a receiver, and how long one waits after it asked for patience."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.delivery.bucket import Bucket
from sinks.delivery.circuit import Circuit
from sinks.delivery.gate import ReceiverGate
from sinks.delivery.retry import BACKOFF_CAP, backoff
from sinks.receivers.answers import Delivered, Kind, Refused, Retry
from sinks.receivers.contract import Pace
from sinks.receivers.registry import Receivers
from tests.sinks.samples import Time

MINUTE = 60_000
EAGER = Pace(per_minute=0, burst=1, concurrency=100)


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)])
def test_backoff_is_exponential_with_full_jitter_and_a_cap(attempt: int, ceiling: float) -> None:
    assert backoff(attempt, 0.0) == 0.0
    assert backoff(attempt, 0.5) == ceiling / 2
    assert backoff(attempt, 0.999999) < ceiling <= BACKOFF_CAP / 1000


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=400), st.sampled_from(["pagerduty", "slack"]))
def test_no_minute_ever_has_more_than_the_receiver_bears(gaps: list[int], sink: str) -> None:
    pace = dict(Receivers().receivers())[sink].pace
    bucket, now, went = Bucket(pace.per_minute, pace.burst), 0, []
    for gap in gaps:
        now += gap
        now += -int(-bucket.delay(now) // 1)
        bucket.take(now)
        went.append(now)
    allowed = {"pagerduty": 120, "slack": 60}[sink]
    for start in went:
        assert sum(start <= at < start + MINUTE for at in went) <= allowed


def test_without_a_rate_nothing_waits() -> None:
    bucket = Bucket(0, 1)
    for _ in range(1000):
        bucket.take(5)
    assert bucket.delay(5) == 0


def failed(circuit: Circuit, now: int, *keys: str, kind: Kind = "server_error") -> None:
    for key in keys:
        circuit.failed(key, kind, now)


def test_a_circuit_opens_after_failures_in_a_row_and_closes_with_the_first_success() -> None:
    circuit = Circuit()
    failed(circuit, 0, *"abca")
    assert not circuit.succeeded()
    failed(circuit, 0, *"abca")
    assert circuit.state(0) == "closed"
    failed(circuit, 0, "a")
    assert circuit.state(0) == "open"
    assert circuit.delay(1000) == Circuit.pause - 1000
    assert circuit.state(Circuit.pause) == "half_open"
    assert circuit.succeeded()
    assert circuit.state(Circuit.pause) == "closed"


def test_the_failures_of_one_key_open_nothing() -> None:
    circuit = Circuit()
    failed(circuit, 0, *"a" * 1000)
    assert circuit.state(0) == "closed"
    failed(circuit, 0, "b")
    assert circuit.state(0) == "open"


@pytest.mark.parametrize("kind", ["dns", "connect", "tls"])
def test_one_key_is_enough_where_nothing_can_be_reached(kind: Kind) -> None:
    circuit = Circuit()
    failed(circuit, 0, *"aaaaa", kind=kind)
    assert circuit.state(0) == "open"


def test_a_probe_goes_each_four_seconds_however_long_it_lasts() -> None:
    circuit, now = Circuit(), 0
    failed(circuit, now, *"ababa")
    for _ in range(100):
        assert circuit.delay(now) == 4_000
        now += circuit.delay(now)
        circuit.sent(now)
        failed(circuit, now + 100, "a")  # an answer that comes late does not put the next probe off


def yes() -> bool:
    return True


async def test_who_waits_goes_in_the_order_of_coming() -> None:
    time, went = Time(), []
    gate = ReceiverGate(Pace(per_minute=60, burst=1, concurrency=5), time.clock, time.sleep)

    async def go(name: str) -> None:
        await gate.enter(yes)
        went.append((name, time.now))
        gate.leave(Delivered())

    start = time.now
    tasks = [asyncio.create_task(go(name)) for name in "abc"]
    await time.pass_(10)
    await asyncio.gather(*tasks)
    assert went == [("a", start), ("b", start + 1000), ("c", start + 2000)]


async def test_no_more_go_at_once_than_the_receiver_bears() -> None:
    time = Time()
    gate = ReceiverGate(Pace(per_minute=0, burst=1, concurrency=2), time.clock, time.sleep)
    tasks = [asyncio.create_task(gate.enter(yes)) for _ in range(3)]
    await time.settle()
    assert [task.done() for task in tasks] == [True, True, False]
    gate.leave(Delivered())
    await time.settle()
    assert tasks[2].done()


async def test_a_pause_that_was_asked_for_holds_everybody() -> None:
    time = Time()
    gate = ReceiverGate(EAGER, time.clock, time.sleep)
    await gate.enter(yes)
    gate.leave(Retry(30.0, "429", throttled=True), hold=30.0)
    waiting = asyncio.create_task(gate.enter(yes))
    await time.pass_(29.9)
    assert not waiting.done()
    await time.pass_(0.1)
    assert waiting.done()


async def test_an_open_circuit_lets_one_probe_through_and_the_others_once_it_succeeds() -> None:
    time = Time()
    gate = ReceiverGate(EAGER, time.clock, time.sleep)
    for key in "ababa":
        await gate.enter(yes, key=key)
        gate.leave(Retry(None, "500"), key=key)
    tasks = [asyncio.create_task(gate.enter(yes, key=key)) for key in "cde"]
    await time.pass_(3.9)
    assert not any(task.done() for task in tasks)
    await time.pass_(0.2)
    assert [task.done() for task in tasks] == [True, False, False]
    gate.leave(Retry(None, "500"), key="c")
    await time.pass_(3.6)
    assert [task.done() for task in tasks] == [True, False, False]
    await time.pass_(0.4)
    assert [task.done() for task in tasks] == [True, True, False]
    gate.leave(Delivered(), key="d")
    await time.settle()
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("answer", [Refused("400"), Retry(1.0, "429", throttled=True), Delivered()])
async def test_a_receiver_that_answers_is_no_broken_one(answer: Delivered | Retry | Refused) -> None:
    time = Time()
    gate = ReceiverGate(EAGER, time.clock, time.sleep)
    for _ in range(Circuit.threshold * 2):
        await gate.enter(yes)
        gate.leave(answer)
    assert gate.circuit.state(time.now) == "closed"


async def test_what_is_not_wanted_any_more_takes_no_place() -> None:
    time = Time()
    gate = ReceiverGate(Pace(per_minute=60, burst=1, concurrency=1), time.clock, time.sleep)
    assert await gate.enter(yes)
    gate.leave(Delivered())
    assert not await gate.enter(lambda: False)
    start = time.now
    waiting = asyncio.create_task(gate.enter(yes))
    await time.pass_(1)
    assert waiting.done()
    assert time.now == start + 1000


async def test_who_gives_up_waiting_leaves_its_place_to_others() -> None:
    time = Time()
    gate = ReceiverGate(Pace(per_minute=60, burst=1, concurrency=1), time.clock, time.sleep)
    await gate.enter(yes)
    gate.leave(Delivered())
    impatient = asyncio.create_task(gate.enter(yes))
    patient = asyncio.create_task(gate.enter(yes))
    await time.settle()
    impatient.cancel()
    await time.pass_(1)
    assert patient.done()
    assert patient.result() is True


async def test_one_who_has_not_failed_does_not_wait_for_room_that_only_those_lack_who_have() -> None:
    time = Time()
    gate = ReceiverGate(Pace(per_minute=0, burst=1, concurrency=6), time.clock, time.sleep)
    bad = [f"bad-{n}" for n in range(4)]
    for key in bad:
        assert await gate.enter(lambda: True, key=key)
        gate.leave(Retry(None, "HTTP 500"), key=key)
    for key in bad[:3]:  # half of the requests under way, all without an answer yet
        assert await gate.enter(lambda: True, key=key)
    waits = asyncio.create_task(gate.enter(lambda: True, key=bad[3]))
    await asyncio.sleep(0)
    page = asyncio.create_task(gate.enter(lambda: True, key="page"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert page.done()
    assert not waits.done()
    gate.leave(None, key=bad[0])
    assert await waits
    assert await page
