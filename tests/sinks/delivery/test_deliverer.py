"""Commands are delivered once, in order, whatever receivers answer and whenever it restarts."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Command
from sinks.delivery.deliverer import Deliverer, Delivery
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from tests.sinks.samples import OPENED, RunningTime
from tests.sinks.stage import EAGER, Stage, failing, numbered


async def test_a_command_is_delivered_recorded_and_told() -> None:
    stage = Stage(slack=lambda command: Delivered({"ts": "1.1"}))
    stage.deliverer.submit(numbered(1, "slack", "post"))
    assert await stage.deliverer.drain(5)
    assert stage.recorded == [
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
        )
    ]
    assert stage.told == [("prod-7:0:slack:1", OPENED)]
    assert stage.deliverer.deliveries == {("slack", "delivered"): 1}
    assert stage.deliverer.pending == 0


async def test_commands_of_an_incident_keep_their_order_through_failures() -> None:
    stage = Stage(RunningTime(), pagerduty=failing(2, Retry(None, "HTTP 500")))
    for n, action in enumerate(["trigger", "trigger", "acknowledge", "resolve"]):
        stage.deliverer.submit(numbered(n, action=action, epoch=n // 3))
    assert await stage.deliverer.drain(5)
    assert [got for got, _ in stage.outcomes()] == [f"prod-7:{n // 3}:pagerduty:{n}" for n in range(4)]
    assert stage.receivers["pagerduty"].ids == [
        f"prod-7:{n // 3}:pagerduty:{n}" for n in range(4) for _ in "123"
    ]


async def test_an_incident_that_cannot_be_delivered_holds_no_other_up() -> None:
    stage = Stage(pagerduty=lambda c: Retry(None, "HTTP 500") if c.incident_id == "prod-1" else Delivered())
    stage.deliverer.submit(numbered(1, who="prod-1"))
    stage.deliverer.submit(numbered(1, who="prod-2"))
    await stage.time.settle()
    assert stage.outcomes() == [("prod-2:0:pagerduty:1", "delivered")]
    await stage.deliverer.close(0)


async def test_a_receiver_that_hangs_holds_no_other_up() -> None:
    stage = Stage()
    stage.receivers["datadog"].gate.clear()
    stage.deliverer.submit(numbered(1, "datadog", "event"))
    stage.deliverer.submit(numbered(1, "pagerduty"))
    await stage.time.settle()
    assert stage.outcomes() == [("prod-7:0:pagerduty:1", "delivered")]
    await stage.deliverer.close(0)


async def test_what_is_under_way_at_once_is_bounded() -> None:
    stage = Stage()
    stage.receivers["pagerduty"].gate.clear()
    for n in range(10):
        stage.deliverer.submit(numbered(1, who=f"prod-{n}"))
    await stage.time.settle()
    assert stage.receivers["pagerduty"].under_way == EAGER.concurrency
    stage.receivers["pagerduty"].gate.set()
    assert await stage.deliverer.drain(5)
    assert stage.receivers["pagerduty"].most_under_way == EAGER.concurrency


async def test_it_is_recorded_before_the_next_of_its_incident_is_sent() -> None:
    stage, recording = Stage(), asyncio.Event()

    async def slowly(delivery: Delivery) -> None:
        await recording.wait()
        stage.recorded.append(delivery)

    stage.record = slowly  # type: ignore[method-assign]
    stage.deliverer = stage.make()
    stage.deliverer.submit(numbered(1))
    stage.deliverer.submit(numbered(2))
    await stage.time.settle()
    assert len(stage.receivers["pagerduty"].got) == 1
    recording.set()
    assert await stage.deliverer.drain(5)
    assert len(stage.receivers["pagerduty"].got) == 2


async def test_a_record_that_fails_is_written_again_and_the_command_is_not_sent_again() -> None:
    stage, failures = Stage(RunningTime()), [ConnectionError("no broker")] * 3

    async def fail(delivery: Delivery) -> None:
        if failures:
            raise failures.pop()
        stage.recorded.append(delivery)

    stage.record = fail  # type: ignore[method-assign]
    stage.deliverer = stage.make()
    stage.deliverer.submit(numbered(1))
    assert await stage.deliverer.drain(5)
    assert len(stage.receivers["pagerduty"].got) == 1
    assert len(stage.recorded) == 1


async def test_retries_back_off_with_jitter() -> None:
    stage = Stage(pagerduty=failing(4, Retry(None, "HTTP 500")))
    stage.deliverer.submit(numbered(1))
    await stage.time.pass_(60)
    seconds = [(at - OPENED) / 1000 for at, _ in stage.receivers["pagerduty"].got]
    assert seconds == [0.0, 0.5, 1.5, 3.5, 7.5]


async def test_never_sooner_than_the_receiver_asks_and_nobody_else_goes_meanwhile() -> None:
    stage = Stage(pagerduty=failing(1, Retry(30.0, "HTTP 429", throttled=True)))
    stage.deliverer.submit(numbered(1, who="prod-1"))
    await stage.time.settle()
    stage.deliverer.submit(numbered(1, who="prod-2"))
    await stage.time.pass_(29)
    assert stage.receivers["pagerduty"].ids == ["prod-1:0:pagerduty:1"]
    await stage.time.pass_(32)
    assert [outcome for _, outcome in stage.outcomes()] == ["delivered", "delivered"]
    assert stage.receivers["pagerduty"].got[1][0] >= OPENED + 30_000


async def test_a_rate_limit_that_is_spent_is_not_run_into() -> None:
    stage = Stage(datadog=lambda command: Delivered(pause=10.0))
    stage.deliverer.submit(numbered(1, "datadog", "event"))
    stage.deliverer.submit(numbered(2, "datadog", "event"))
    await stage.time.pass_(20)
    assert [at - OPENED for at, _ in stage.receivers["datadog"].got] == [0, 10_000]


async def test_a_refused_command_is_a_dead_letter_and_the_next_goes_on() -> None:
    stage = Stage(pagerduty=lambda c: Refused("HTTP 400: no") if c.id.endswith(":1") else Delivered())
    stage.deliverer.submit(numbered(1))
    stage.deliverer.submit(numbered(2))
    assert await stage.deliverer.drain(5)
    assert stage.dead == [("prod-7:0:pagerduty:1", "HTTP 400: no", 1)]
    assert [outcome for _, outcome in stage.outcomes()] == ["dead", "delivered"]


async def test_after_a_day_of_failures_it_is_given_up() -> None:
    stage = Stage(pagerduty=lambda command: Retry(None, "HTTP 503"))
    stage.deliverer.submit(numbered(1))
    await stage.time.pass_(24 * 3600 - 120)
    assert stage.dead == []
    await stage.time.pass_(300)
    assert [(reason, attempts > 1000) for _, reason, attempts in stage.dead] == [("given up: HTTP 503", True)]


async def test_a_fault_of_ours_is_a_dead_letter_that_repeats_nothing_of_what_was_to_be_sent() -> None:
    def fault(command: Command) -> Answer:
        raise KeyError("s3cret")

    stage = Stage(slack=fault)
    stage.deliverer.submit(numbered(1, "slack", "post"))
    assert await stage.deliverer.drain(5)
    (_, reason, _) = stage.dead[0]
    assert reason.startswith("KeyError in ")
    assert "s3cret" not in reason


async def test_a_repeat_is_recognised_whether_it_waits_or_was_dealt_with_in_this_run_or_before() -> None:
    stage = Stage(slack=lambda command: Delivered({"ts": "1.1"}))
    first = numbered(1, "slack", "post")
    stage.deliverer.submit(first)
    stage.deliverer.submit(first)
    await stage.deliverer.drain(5)
    stage.deliverer.submit(first)
    restarted = stage.make()
    restarted.restore(stage.recorded)
    restarted.submit(first)
    restarted.submit(numbered(2, "slack", "reply"))
    assert await restarted.drain(5)
    assert stage.receivers["slack"].ids == ["prod-7:0:slack:1", "prod-7:0:slack:2"]
    assert stage.deliverer.deliveries["slack", "repeat"] == 2
    assert restarted.deliveries["slack", "repeat"] == 1


async def test_receipts_are_those_of_the_same_incident_and_epoch_and_survive_a_restart() -> None:
    stage = Stage(slack=lambda command: Delivered({"ts": command.id} if command.action == "post" else {}))
    for n, action, epoch in [(1, "post", 0), (2, "reply", 0), (3, "post", 1), (4, "reply", 1)]:
        stage.deliverer.submit(numbered(n, "slack", action, epoch=epoch))
    await stage.deliverer.drain(5)
    restarted = stage.make()
    restarted.restore(reversed(stage.recorded))
    restarted.submit(numbered(5, "slack", "reply", epoch=0))
    await restarted.drain(5)
    roots = [receipt.get("ts") for receipt in stage.receivers["slack"].receipts]
    first, second = "prod-7:0:slack:1", "prod-7:1:slack:3"
    assert roots == [None, first, None, second, first]


async def test_of_receipts_that_contradict_each_other_the_latest_counts() -> None:
    stage = Stage()
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
        deliverer = stage.make()
        deliverer.restore(order)
        deliverer.submit(numbered(9, "slack", "reply"))
        await deliverer.drain(5)
    assert stage.receivers["slack"].receipts == [{"ts": "2"}, {"ts": "2"}]


async def test_a_command_for_a_receiver_that_is_off_is_counted_and_nothing_else() -> None:
    stage = Stage()
    del stage.receivers["datadog"]
    deliverer = stage.make()
    deliverer.submit(numbered(1, "datadog", "event"))
    assert await deliverer.drain(5)
    assert stage.recorded == []
    assert deliverer.deliveries == {("datadog", "off"): 1}


async def test_an_open_circuit_is_seen_and_waits_without_requests() -> None:
    stage = Stage(pagerduty=lambda command: Retry(None, "HTTP 500"))
    for n in range(8):
        stage.deliverer.submit(numbered(1, who=f"prod-{n}"))
    await stage.time.settle()
    assert stage.deliverer.circuit("pagerduty") == "open"
    assert stage.deliverer.circuit("slack") == "closed"
    before = len(stage.receivers["pagerduty"].got)
    await stage.time.pass_(4)
    assert len(stage.receivers["pagerduty"].got) == before
    await stage.deliverer.close(0)


async def test_drain_tells_when_it_takes_too_long() -> None:
    stage = Stage(pagerduty=lambda command: Retry(None, "HTTP 500"))
    stage.deliverer.submit(numbered(1))
    assert not await stage.deliverer.drain(0)
    assert stage.deliverer.pending == 1
    await stage.deliverer.close(0)


async def test_closing_leaves_what_waits_unrecorded_and_lets_what_is_under_way_end() -> None:
    stage = Stage(pagerduty=lambda c: Retry(None, "HTTP 500") if c.incident_id == "prod-1" else Delivered())
    stage.deliverer.submit(numbered(1, who="prod-1"))
    await stage.time.settle()
    stage.receivers["pagerduty"].gate.clear()
    stage.deliverer.submit(numbered(1, who="prod-2"))
    stage.deliverer.submit(numbered(2, who="prod-2"))
    await stage.time.settle()
    asyncio.get_running_loop().call_soon(stage.receivers["pagerduty"].gate.set)
    async with asyncio.timeout(5):
        await stage.deliverer.close(60)
    assert stage.outcomes() == [("prod-2:0:pagerduty:1", "delivered")]
    assert len(asyncio.all_tasks()) == 1


async def test_a_measurement_that_fails_stops_nothing() -> None:
    stage = Stage()

    def fail(command: Command, at: int) -> None:
        raise RuntimeError("no such label")

    deliverer = Deliverer(
        stage.receivers,
        stage.record,
        stage.bury,
        stage.time.clock,
        stage.time.sleep,
        lambda: 0.5,
        on_delivered=fail,
    )
    deliverer.submit(numbered(1))
    deliverer.submit(numbered(2))
    assert await deliverer.drain(5)
    assert len(stage.recorded) == 2


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

    async def play() -> Stage:
        stage = Stage(RunningTime(), pagerduty=answer, datadog=answer, slack=answer)
        for made in submitted:
            stage.deliverer.submit(made)
        for _ in range(crash):
            await asyncio.sleep(0)
        await stage.deliverer.close(0)  # as if the process had died: nothing more is recorded
        stage.deliverer = stage.make()
        stage.deliverer.restore(msgspec.json.decode(msgspec.json.encode(stage.recorded), type=list[Delivery]))
        for made in submitted:
            stage.deliverer.submit(made)
        assert await stage.deliverer.drain(20)
        return stage

    stage = asyncio.run(play())
    recorded = [delivery.command_id for delivery in stage.recorded]
    assert sorted(recorded) == sorted(made.id for made in submitted)
    for who in ("prod-1", "prod-2"):
        for sink, receiver in stage.receivers.items():
            ours = [made.id for made in submitted if (made.incident_id, made.sink) == (who, sink)]
            assert [each for each in recorded if each in ours] == ours
            sent = [ours.index(each) for each in receiver.ids if each in ours]
            # A crash may send the last one again; it never goes further back.
            assert all(after >= before for before, after in pairwise(sent))
