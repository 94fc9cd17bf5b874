"""What a receiver will not take from one incident delays no other; the most urgent goes first; nobody gets too much."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Command
from detectors.instants import DAY, HOUR, MINUTE
from sinks.delivery.bucket import Bucket
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import gates_for
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from tests.sinks.deliverer_fixture import DelivererFixture, Receiver, drained, numbered
from tests.sinks.samples import OPENED, RunningTime, Time, command, incident


class AtPace(DelivererFixture):
    """A deliverer at the paces that ship, in a time that is moved by hand."""

    def __init__(self, **scripts: Callable[[Command], Answer]) -> None:
        super().__init__(Time(), **scripts)

    def make(self) -> Deliverer:
        return Deliverer(
            self.receivers,
            self.record,
            self.dead_letter,
            self.time.clock,
            self.time.sleep,
            lambda: 0.5,
            gates=gates_for(self.receivers, self.time.clock, self.time.sleep),
        )

    def got(self, sink: str, who: str) -> int | None:
        """Seconds after the beginning at which a receiver first got something of an incident."""
        found = [at for at, name in self.receivers[sink].got if name.startswith(f"{who}:")]
        return (found[0] - OPENED) // 1000 if found else None


def unloved(answer: Answer, *who: str) -> Callable[[Command], Answer]:
    return lambda command: answer if command.incident_id in who else Delivered()


@pytest.mark.parametrize("poisoned", [1, 2, 9])
@pytest.mark.parametrize(
    "answer", [Retry(None, "HTTP 500"), Retry(60.0, "HTTP 503"), Retry(None, "HTML", kind="unexpected")]
)
async def test_an_incident_that_is_not_taken_delays_no_other(poisoned: int, answer: Answer) -> None:
    bad = [f"prod-{n}" for n in range(poisoned)]
    fixture = AtPace(pagerduty=unloved(answer, *bad))
    for who in bad:
        fixture.deliverer.submit(numbered(1, who=who))
    for hour in range(1, 7):
        await fixture.time.pass_(HOUR / 1000 - 11 if hour == 1 else 600)
        before = fixture.time.now
        fixture.deliverer.submit(numbered(1, who=f"staging-{hour}"))
        await fixture.time.pass_(11)
        first = fixture.got("pagerduty", f"staging-{hour}")
        assert first is not None
        assert first - (before - OPENED) // 1000 <= 5
    await fixture.deliverer.close(0)


async def test_a_hanging_request_of_one_incident_delays_no_other() -> None:
    fixture = AtPace()
    hanging = asyncio.Event()

    class Hangs(Receiver):
        async def send(self, command: Command, receipts: object) -> Answer:
            self.got.append((self.time.now, command.id))
            if command.incident_id == "prod-1":
                await self.time.sleep(10)
                hanging.set()
                return Retry(None, "no answer in time", kind="no_answer")
            return Delivered()

    for sink in ("pagerduty", "slack", "datadog"):
        fixture.receivers[sink] = Hangs(fixture.time)
    fixture.deliverer = fixture.make()
    for sink, action in [("pagerduty", "trigger"), ("slack", "post"), ("datadog", "event")]:
        fixture.deliverer.submit(numbered(1, sink, action, who="prod-1"))
    await fixture.time.pass_(100)
    assert hanging.is_set()
    now = fixture.time.now
    for sink, action in [("pagerduty", "trigger"), ("slack", "post"), ("datadog", "event")]:
        fixture.deliverer.submit(numbered(1, sink, action, who="prod-2"))
    await fixture.time.pass_(5)
    for sink in ("pagerduty", "slack", "datadog"):
        first = fixture.got(sink, "prod-2")
        assert first is not None
        assert first <= (now - OPENED) // 1000 + 5
    await fixture.deliverer.close(0)


async def test_an_acknowledgement_that_is_never_taken_holds_up_no_page_of_its_incident() -> None:
    fixture = AtPace(
        pagerduty=lambda c: Retry(None, "HTTP 500") if c.action == "acknowledge" else Delivered()
    )
    fixture.deliverer.submit(numbered(1))
    fixture.deliverer.submit(numbered(2, action="acknowledge"))
    await fixture.time.pass_(3600)
    at = fixture.time.now
    raised = numbered(3, dedup_key="watchofficer:prod-7:0:s1")
    again = numbered(4)
    fixture.deliverer.submit(raised)
    fixture.deliverer.submit(again)
    await fixture.time.pass_(61)
    delivered = {one.command_id: one for one in fixture.recorded}
    assert delivered[raised.id].outcome == "delivered"
    assert delivered[raised.id].at - at <= 5_000
    assert delivered[again.id].outcome == "delivered"
    assert delivered["prod-7:0:pagerduty:2"].outcome == "superseded"
    await fixture.deliverer.close(0)


async def test_a_resolution_of_an_epoch_that_is_never_taken_holds_up_no_page_of_the_next() -> None:
    fixture = AtPace(pagerduty=lambda c: Retry(None, "HTTP 500") if c.action == "resolve" else Delivered())
    fixture.deliverer.submit(numbered(1, action="resolve"))
    await fixture.time.pass_(600)
    fixture.deliverer.submit(numbered(2, epoch=1))
    await fixture.time.pass_(5)
    assert ("prod-7:1:pagerduty:2", "delivered") in fixture.outcomes()
    await fixture.deliverer.close(0)


@pytest.mark.long
async def test_of_500_incidents_in_a_minute_the_most_severe_go_first_within_the_limits_and_in_little_memory() -> (
    None
):
    fixture = AtPace()
    made = []
    for n in range(500):
        about = incident(id=f"prod-{n}", severity=3 - n % 3)
        for sink, action in [("pagerduty", "trigger"), ("slack", "post"), ("slack", "update")]:
            made.append(command(sink, action, id=f"{about.id}:{sink}:{action}", incident=about,
                                dedup_key=f"watchofficer:{about.id}:0"))  # fmt: skip
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for n, each in enumerate(made):
        fixture.deliverer.submit(each)
        if n % 25 == 24:
            await fixture.time.pass_(1)
    await fixture.time.pass_(3600)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fixture.deliverer.pending == 0
    assert (peak - before) / len(made) < 12_000
    severity = {each.id: each.incident.severity for each in made}
    pages = fixture.receivers["pagerduty"].got
    all_made = OPENED + 60_000
    waited = [severity[name] for at, name in pages if at >= all_made]
    assert waited == sorted(waited)
    posts = [name for _, name in fixture.receivers["slack"].got]
    assert [name for name in posts if name.endswith("post")] == posts[:500]
    for sink, limit in [("pagerduty", 120), ("slack", 60)]:
        times = [at for at, _ in fixture.receivers[sink].got]
        assert max(sum(start <= at < start + MINUTE for at in times) for start in times) <= limit


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0, 10, 600, 9_000, 70_000]), st.integers(0, 4)),
        min_size=1,
        max_size=300,
    )
)
def test_workers_that_share_a_limit_keep_it_together_whatever_moves_between_them(
    steps: list[tuple[int, int, int]],
) -> None:
    now, owned = 0, [2, 2]
    buckets = [Bucket(96, 20, spent_at=0) for _ in owned]
    for bucket, share in zip(buckets, owned, strict=True):
        bucket.set_share(share / 4, now)
    went: list[int] = []
    for who, gap, share in steps:
        now += gap
        if who == 2:  # a rebalance: one worker lets go before the other takes over
            owned = [share, 4 - share]
            for bucket, part in sorted(zip(buckets, owned, strict=True), key=lambda pair: pair[1]):
                bucket.set_share(max(part / 4, 1e-6), now)
            continue
        for _ in range(30):
            if owned[who] and buckets[who].delay(now) == 0:
                buckets[who].take(now)
                went.append(now)
    for start in set(went):
        assert sum(start <= at < start + MINUTE for at in went) <= 120


async def test_a_long_wait_is_cut_to_a_minute_for_pages_and_ten_for_the_rest() -> None:
    answers = {"pagerduty": [86_400.0], "slack": [86_400.0]}

    def answer(command: Command) -> Answer:
        left = answers[command.sink]
        return Retry(left.pop(), "HTTP 429", throttled=True, kind="throttled") if left else Delivered()

    fixture = AtPace(pagerduty=answer, slack=answer)
    fixture.deliverer.submit(numbered(1))
    fixture.deliverer.submit(numbered(1, "slack", "post"))
    await fixture.time.pass_(59)
    assert fixture.recorded == []
    await fixture.time.pass_(4)
    assert [one.sink for one in fixture.recorded] == ["pagerduty"]
    await fixture.time.pass_(600)
    assert [one.sink for one in fixture.recorded] == ["pagerduty", "slack"]


async def test_once_a_broken_receiver_answers_all_that_waits_goes_without_waiting_for_its_own_turn() -> None:
    well = False

    def answer(command: Command) -> Answer:
        return Delivered() if well else Retry(None, "HTTP 503")

    fixture = AtPace(pagerduty=answer)
    for n in range(20):
        fixture.deliverer.submit(numbered(1, who=f"prod-{n}"))
    await fixture.time.pass_(600)
    assert fixture.deliverer.circuit("pagerduty") == "open"
    well = True
    await fixture.time.pass_(7)
    assert len(fixture.recorded) == 20
    assert fixture.deliverer.circuit("pagerduty") == "closed"


async def test_the_age_of_a_command_counts_through_restarts() -> None:
    fixture = AtPace(pagerduty=lambda command: Retry(None, "HTTP 503"))
    for _ in range(3):  # each 20 h a new process
        fixture.deliverer = fixture.make()
        fixture.deliverer.restore(fixture.recorded)
        fixture.deliverer.submit(numbered(1))
        await fixture.time.pass_(20 * 3600)
        await fixture.deliverer.close(0)
    assert [(one.outcome, one.at - OPENED < DAY + 2 * MINUTE) for one in fixture.recorded[:1]] == [
        ("dead", True)
    ]
    assert len(fixture.dead) == 1


async def test_a_page_of_an_incident_that_began_long_ago_is_sent_as_it_was_written_now() -> None:
    fixture = AtPace()
    fixture.deliverer.submit(numbered(1, at=OPENED - 30 * HOUR), OPENED)
    await fixture.time.settle()
    assert fixture.outcomes() == [("prod-7:0:pagerduty:1", "delivered")]


async def test_a_page_that_is_refused_is_told_in_slack_at_once() -> None:
    fixture = AtPace(pagerduty=lambda command: Refused("HTTP 403: invalid key"))
    fixture.deliverer.submit(numbered(1))
    await fixture.time.pass_(1)
    assert fixture.outcomes() == [
        ("prod-7:0:pagerduty:1", "dead"),
        ("prod-7:0:pagerduty:1:missed", "delivered"),
    ]
    assert fixture.recorded[0].reason == "HTTP 403: invalid key"
    assert fixture.receivers["slack"].ids == ["prod-7:0:pagerduty:1:missed"]


async def test_a_page_that_was_refused_in_a_run_that_ended_is_told_by_the_next() -> None:
    fixture = AtPace(pagerduty=lambda command: Refused("HTTP 403"))
    dead = Delivery(
        command_id="prod-7:0:pagerduty:1",
        sink="pagerduty",
        incident_id="prod-7",
        epoch=0,
        action="trigger",
        outcome="dead",
        at=OPENED,
        reason="HTTP 403",
    )
    for _ in range(2):
        fixture.deliverer = fixture.make()
        fixture.deliverer.restore([dead, *fixture.recorded])
        fixture.deliverer.submit(numbered(1))
        await fixture.time.pass_(1)
    assert fixture.receivers["slack"].ids == ["prod-7:0:pagerduty:1:missed"]


async def test_a_page_that_came_too_late_for_its_incident_is_told_as_history() -> None:
    fixture = AtPace(pagerduty=lambda c: Retry(None, "HTTP 503") if c.action == "trigger" else Delivered())
    fixture.deliverer.submit(numbered(1))
    await fixture.time.pass_(1800)
    fixture.deliverer.submit(numbered(2, action="resolve"))
    await fixture.time.pass_(70)
    assert [pair for pair in fixture.outcomes() if pair[0].endswith(":1") or "missed" in pair[0]] == [
        ("prod-7:0:pagerduty:1", "dropped"),
        ("prod-7:0:pagerduty:1:missed", "delivered"),
    ]


async def test_the_failures_of_a_resolution_are_told_nobody() -> None:
    fixture = AtPace(pagerduty=lambda command: Refused("HTTP 400"))
    fixture.deliverer.submit(numbered(1, action="resolve"))
    await fixture.time.pass_(1)
    assert fixture.receivers["slack"].ids == []


@given(st.lists(st.sampled_from(["ok", "500", "429", "hang"]), max_size=60), st.integers(1, 6))
def test_whatever_is_answered_somebody_always_leads_and_all_is_dealt_with(
    answers: list[str], incidents: int
) -> None:
    said: dict[str, Answer] = {
        "ok": Delivered(),
        "500": Retry(None, "HTTP 500"),
        "429": Retry(2.0, "HTTP 429", throttled=True, kind="throttled"),
        "hang": Retry(None, "no answer in time", kind="no_answer"),
    }
    left = list(answers)

    async def play() -> bool:
        fixture = DelivererFixture(
            RunningTime(), pagerduty=lambda command: said[left.pop()] if left else Delivered()
        )
        for n in range(incidents):
            fixture.deliverer.submit(numbered(n, who=f"prod-{n}"))
        done = await drained(fixture.deliverer, 20)
        await fixture.deliverer.close(0)
        return done

    assert asyncio.run(play())


async def test_attempts_are_counted_by_what_was_answered() -> None:
    fixture = AtPace(slack=unloved(Refused("not_in_channel"), "prod-1"))
    gates = gates_for(fixture.receivers, fixture.time.clock, fixture.time.sleep)
    fixture.deliverer = Deliverer(
        fixture.receivers, fixture.record, fixture.dead_letter, fixture.time.clock, fixture.time.sleep,
        lambda: 0.5, gates=gates,
    )  # fmt: skip
    for who in ("prod-1", "prod-2"):
        fixture.deliverer.submit(numbered(1, "slack", "post", who=who))
    await fixture.time.pass_(5)
    assert gates["slack"].attempts == {"refused": 1, "delivered": 1}
    assert all(after >= before for before, after in pairwise(at for at, _ in fixture.receivers["slack"].got))
