"""Commands are delivered once, in order, whatever receivers answer and whenever it restarts."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Command
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.lanes import lane_of
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from tests.sinks.deliverer_fixture import EAGER, DelivererFixture, drained, failing, numbered
from tests.sinks.samples import OPENED, RunningTime


async def test_a_command_is_delivered_recorded_and_told() -> None:
    fixture = DelivererFixture(slack=lambda command: Delivered({"ts": "1.1"}))
    fixture.deliverer.submit(numbered(1, "slack", "post"))
    assert await drained(fixture.deliverer, 5)
    assert fixture.recorded == [
        Delivery(
            command_id="prod-7:0:slack:1",
            sink="slack",
            incident_id="prod-7",
            epoch=0,
            action="post",
            outcome="delivered",
            at=OPENED,
            receipt={"ts": "1.1"},
            attempts=1,
            dedup_key="watchofficer:prod-7:0",
        )
    ]
    assert fixture.told == [("prod-7:0:slack:1", OPENED)]
    assert fixture.deliverer.deliveries == {("slack", "delivered"): 1}
    assert fixture.deliverer.pending == 0


async def test_commands_of_an_incident_keep_their_order_through_failures() -> None:
    fixture = DelivererFixture(RunningTime(), slack=failing(2, Retry(None, "HTTP 500")))
    for n, action in enumerate(["post", "reply", "reply", "post"]):
        fixture.deliverer.submit(numbered(n, "slack", action, epoch=n // 3, kind="severity"))
    assert await drained(fixture.deliverer, 5)
    assert [got for got, _ in fixture.outcomes()] == [f"prod-7:{n // 3}:slack:{n}" for n in range(4)]
    assert fixture.receivers["slack"].ids == [f"prod-7:{n // 3}:slack:{n}" for n in range(4) for _ in "123"]


async def test_an_incident_that_cannot_be_delivered_holds_no_other_up() -> None:
    fixture = DelivererFixture(
        pagerduty=lambda c: Retry(None, "HTTP 500") if c.incident_id == "prod-1" else Delivered()
    )
    fixture.deliverer.submit(numbered(1, who="prod-1"))
    fixture.deliverer.submit(numbered(1, who="prod-2"))
    await fixture.time.settle()
    assert fixture.outcomes() == [("prod-2:0:pagerduty:1", "delivered")]
    await fixture.deliverer.close(0)


async def test_a_receiver_that_hangs_holds_no_other_up() -> None:
    fixture = DelivererFixture()
    fixture.receivers["datadog"].gate.clear()
    fixture.deliverer.submit(numbered(1, "datadog", "event"))
    fixture.deliverer.submit(numbered(1, "pagerduty"))
    await fixture.time.settle()
    assert fixture.outcomes() == [("prod-7:0:pagerduty:1", "delivered")]
    await fixture.deliverer.close(0)


async def test_what_is_under_way_at_once_is_bounded() -> None:
    fixture = DelivererFixture()
    fixture.receivers["pagerduty"].gate.clear()
    for n in range(10):
        fixture.deliverer.submit(numbered(1, who=f"prod-{n}"))
    await fixture.time.settle()
    assert fixture.receivers["pagerduty"].under_way == EAGER.concurrency
    fixture.receivers["pagerduty"].gate.set()
    assert await drained(fixture.deliverer, 5)
    assert fixture.receivers["pagerduty"].most_under_way == EAGER.concurrency


async def test_it_is_recorded_before_the_next_of_its_incident_is_sent() -> None:
    fixture, recording = DelivererFixture(), asyncio.Event()

    async def slowly(delivery: Delivery) -> None:
        await recording.wait()
        fixture.recorded.append(delivery)

    fixture.record = slowly  # type: ignore[method-assign]
    fixture.deliverer = fixture.make()
    fixture.deliverer.submit(numbered(1))
    await fixture.time.settle()
    fixture.deliverer.submit(numbered(2))
    await fixture.time.settle()
    assert len(fixture.receivers["pagerduty"].got) == 1
    recording.set()
    assert await drained(fixture.deliverer, 5)
    assert len(fixture.receivers["pagerduty"].got) == 2


async def test_a_record_that_fails_is_written_again_and_the_command_is_not_sent_again() -> None:
    fixture, failures = DelivererFixture(RunningTime()), [ConnectionError("no broker")] * 3

    async def fail(delivery: Delivery) -> None:
        if failures:
            raise failures.pop()
        fixture.recorded.append(delivery)

    fixture.record = fail  # type: ignore[method-assign]
    fixture.deliverer = fixture.make()
    fixture.deliverer.submit(numbered(1))
    assert await drained(fixture.deliverer, 5)
    assert len(fixture.receivers["pagerduty"].got) == 1
    assert len(fixture.recorded) == 1


async def test_retries_back_off_with_jitter() -> None:
    fixture = DelivererFixture(pagerduty=failing(4, Retry(None, "HTTP 500")))
    fixture.deliverer.submit(numbered(1))
    await fixture.time.pass_(60)
    seconds = [(at - OPENED) / 1000 for at, _ in fixture.receivers["pagerduty"].got]
    assert seconds == [0.0, 0.5, 1.5, 3.5, 7.5]


async def test_never_sooner_than_the_receiver_asks_and_nobody_else_goes_meanwhile() -> None:
    fixture = DelivererFixture(pagerduty=failing(1, Retry(30.0, "HTTP 429", throttled=True)))
    fixture.deliverer.submit(numbered(1, who="prod-1"))
    await fixture.time.settle()
    fixture.deliverer.submit(numbered(1, who="prod-2"))
    await fixture.time.pass_(29)
    assert fixture.receivers["pagerduty"].ids == ["prod-1:0:pagerduty:1"]
    await fixture.time.pass_(32)
    assert [outcome for _, outcome in fixture.outcomes()] == ["delivered", "delivered"]
    assert fixture.receivers["pagerduty"].got[1][0] >= OPENED + 30_000


async def test_a_rate_limit_that_is_spent_is_not_run_into() -> None:
    fixture = DelivererFixture(datadog=lambda command: Delivered(pause=10.0))
    fixture.deliverer.submit(numbered(1, "datadog", "event"))
    fixture.deliverer.submit(numbered(2, "datadog", "event"))
    await fixture.time.pass_(20)
    assert [at - OPENED for at, _ in fixture.receivers["datadog"].got] == [0, 10_000]


async def test_a_refused_command_is_a_dead_letter_and_the_next_goes_on() -> None:
    fixture = DelivererFixture(
        pagerduty=lambda c: Refused("HTTP 400: no") if c.id.endswith(":1") else Delivered()
    )
    fixture.deliverer.submit(numbered(1, action="resolve"))
    fixture.deliverer.submit(numbered(2))
    assert await drained(fixture.deliverer, 5)
    assert fixture.dead == [("prod-7:0:pagerduty:1", "HTTP 400: no", 1)]
    assert [outcome for _, outcome in fixture.outcomes()] == ["dead", "delivered"]


async def test_after_a_day_of_failures_it_is_given_up() -> None:
    fixture = DelivererFixture(pagerduty=lambda command: Retry(None, "HTTP 503"))
    fixture.deliverer.submit(numbered(1))
    await fixture.time.pass_(24 * 3600 - 120)
    assert fixture.dead == []
    await fixture.time.pass_(300)
    assert [(reason, attempts > 1000) for _, reason, attempts in fixture.dead] == [
        ("given up: HTTP 503", True)
    ]


async def test_a_fault_of_ours_is_a_dead_letter_that_repeats_nothing_of_what_was_to_be_sent() -> None:
    def fault(command: Command) -> Answer:
        raise KeyError("s3cret")

    fixture = DelivererFixture(slack=fault)
    fixture.deliverer.submit(numbered(1, "slack", "post"))
    assert await drained(fixture.deliverer, 5)
    (_, reason, _) = fixture.dead[0]
    assert reason.startswith("KeyError in ")
    assert "s3cret" not in reason


async def test_a_repeat_is_recognised_whether_it_waits_or_was_dealt_with_in_this_run_or_before() -> None:
    fixture = DelivererFixture(slack=lambda command: Delivered({"ts": "1.1"}))
    first = numbered(1, "slack", "post")
    fixture.deliverer.submit(first)
    fixture.deliverer.submit(first)
    await drained(fixture.deliverer, 5)
    fixture.deliverer.submit(first)
    restarted = fixture.make()
    restarted.restore(fixture.recorded)
    restarted.submit(first)
    restarted.submit(numbered(2, "slack", "reply"))
    assert await drained(restarted, 5)
    assert fixture.receivers["slack"].ids == ["prod-7:0:slack:1", "prod-7:0:slack:2"]
    assert fixture.deliverer.deliveries["slack", "repeat"] == 2
    assert restarted.deliveries["slack", "repeat"] == 1


async def test_receipts_are_those_of_the_same_incident_and_epoch_and_survive_a_restart() -> None:
    fixture = DelivererFixture(
        slack=lambda command: Delivered({"ts": command.id} if command.action == "post" else {})
    )
    for n, action, epoch in [(1, "post", 0), (2, "reply", 0), (3, "post", 1), (4, "reply", 1)]:
        fixture.deliverer.submit(numbered(n, "slack", action, epoch=epoch))
    await drained(fixture.deliverer, 5)
    restarted = fixture.make()
    restarted.restore(reversed(fixture.recorded))
    restarted.submit(numbered(5, "slack", "reply", epoch=0))
    await drained(restarted, 5)
    roots = [receipt.get("ts") for receipt in fixture.receivers["slack"].receipts]
    first, second = "prod-7:0:slack:1", "prod-7:1:slack:3"
    assert roots == [None, first, None, second, first]


async def test_of_receipts_that_contradict_each_other_the_latest_counts() -> None:
    fixture = DelivererFixture()
    roots = [
        Delivery(
            command_id=str(n),
            sink="slack",
            incident_id="prod-7",
            epoch=0,
            action="post",
            outcome="delivered",
            at=OPENED + n,
            receipt={"ts": str(n)},
        )
        for n in range(3)
    ]
    for order in (roots, roots[::-1]):
        deliverer = fixture.make()
        deliverer.restore(order)
        deliverer.submit(numbered(9, "slack", "reply"))
        await drained(deliverer, 5)
    assert fixture.receivers["slack"].receipts == [{"ts": "2"}, {"ts": "2"}]


async def test_a_command_for_a_receiver_that_is_off_is_counted_and_nothing_else() -> None:
    fixture = DelivererFixture()
    del fixture.receivers["datadog"]
    deliverer = fixture.make()
    deliverer.submit(numbered(1, "datadog", "event"))
    assert await drained(deliverer, 5)
    assert fixture.recorded == []
    assert deliverer.deliveries == {("datadog", "off"): 1}


async def test_an_open_circuit_is_seen_and_waits_without_requests() -> None:
    fixture = DelivererFixture(pagerduty=lambda command: Retry(None, "HTTP 500"))
    for n in range(8):
        fixture.deliverer.submit(numbered(1, who=f"prod-{n}"))
    await fixture.time.settle()
    assert fixture.deliverer.circuit("pagerduty") == "open"
    assert fixture.deliverer.circuit("slack") == "closed"
    before = len(fixture.receivers["pagerduty"].got)
    await fixture.time.pass_(3)
    assert len(fixture.receivers["pagerduty"].got) == before
    await fixture.deliverer.close(0)


async def test_drain_tells_when_it_takes_too_long() -> None:
    fixture = DelivererFixture(pagerduty=lambda command: Retry(None, "HTTP 500"))
    fixture.deliverer.submit(numbered(1))
    assert not await drained(fixture.deliverer, 0)
    assert fixture.deliverer.pending == 1
    await fixture.deliverer.close(0)


async def test_closing_leaves_what_waits_unrecorded_and_lets_what_is_under_way_end() -> None:
    fixture = DelivererFixture(
        pagerduty=lambda c: Retry(None, "HTTP 500") if c.incident_id == "prod-1" else Delivered()
    )
    fixture.deliverer.submit(numbered(1, who="prod-1"))
    await fixture.time.settle()
    fixture.receivers["pagerduty"].gate.clear()
    fixture.deliverer.submit(numbered(1, who="prod-2", action="resolve"))
    fixture.deliverer.submit(numbered(2, who="prod-2"))
    await fixture.time.settle()
    asyncio.get_running_loop().call_soon(fixture.receivers["pagerduty"].gate.set)
    async with asyncio.timeout(5):
        await fixture.deliverer.close(60)
    assert fixture.outcomes() == [("prod-2:0:pagerduty:1", "delivered")]
    assert len(asyncio.all_tasks()) == 1


async def test_a_measurement_that_fails_stops_nothing() -> None:
    fixture = DelivererFixture()

    def fail(command: Command, at: int) -> None:
        raise RuntimeError("no such label")

    deliverer = Deliverer(
        fixture.receivers,
        fixture.record,
        fixture.dead_letter,
        fixture.time.clock,
        fixture.time.sleep,
        lambda: 0.5,
        on_delivered=fail,
    )
    deliverer.submit(numbered(1))
    deliverer.submit(numbered(2, epoch=1))
    await fixture.time.pass_(5)
    assert await drained(deliverer, 5)
    assert len(fixture.recorded) == 2


_steps = st.lists(
    st.tuples(
        st.sampled_from(["prod-1", "prod-2"]),
        st.sampled_from(
            [
                ("pagerduty", "trigger"),
                ("pagerduty", "acknowledge"),
                ("pagerduty", "resolve"),
                ("datadog", "event"),
                ("datadog", "incident_update"),
                ("slack", "post"),
                ("slack", "update"),
                ("slack", "reply"),
            ]
        ),
        st.integers(0, 1),
        st.lists(st.sampled_from(["500", "429", "ok", "400"]), max_size=4),
    ),
    max_size=25,
)


@given(_steps, st.integers(0, 25))
def test_whatever_fails_and_whenever_it_restarts_all_is_dealt_with_once_and_in_order(
    steps: list[tuple[str, tuple[str, str], int, list[str]]], crash: int
) -> None:
    answers: dict[str, Answer] = {
        "500": Retry(None, "HTTP 500"),
        "429": Retry(3.0, "HTTP 429", throttled=True),
        "ok": Delivered(),
        "400": Refused("HTTP 400"),
    }
    scripts: dict[str, list[str]] = {}
    submitted = []
    for n, (who, (sink, action), epoch, script) in enumerate(steps):
        made = numbered(n, sink, action, who=who, epoch=epoch)
        scripts[made.id] = list(script)
        submitted.append(made)

    def answer(command: Command) -> Answer:
        left = scripts[command.id]
        return answers[left.pop(0)] if left else Delivered()

    async def play() -> DelivererFixture:
        fixture = DelivererFixture(RunningTime(), pagerduty=answer, datadog=answer, slack=answer)
        for made in submitted:
            fixture.deliverer.submit(made)
        for _ in range(crash):
            await asyncio.sleep(0)
        await fixture.deliverer.close(0)  # as if the process had died: nothing more is recorded
        fixture.deliverer = fixture.make()
        fixture.deliverer.restore(
            msgspec.json.decode(msgspec.json.encode(fixture.recorded), type=list[Delivery])
        )
        for made in submitted:
            fixture.deliverer.submit(made)
        assert await drained(fixture.deliverer, 20)
        return fixture

    fixture = asyncio.run(play())
    recorded = [one.command_id for one in fixture.recorded if not one.command_id.endswith(":missed")]
    assert sorted(recorded) == sorted(made.id for made in submitted)
    for lane in {lane_of(made) for made in submitted}:
        ours = [made.id for made in submitted if lane_of(made) == lane]
        assert [each for each in recorded if each in ours] == ours
        sent = [ours.index(each) for each in fixture.receivers[lane[0]].ids if each in ours]
        # A crash may send the last one again; it never goes further back.
        assert all(after >= before for before, after in pairwise(sent))
