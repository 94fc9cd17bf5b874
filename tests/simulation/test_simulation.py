"""Do the shipped loops of ingest, evaluate, dispatch and delivery come to the right verdicts, whatever goes wrong?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiokafka.errors import KafkaError

from sinks.delivery.deliverer import Deliverer
from sinks.receivers.answers import Delivered, Retry
from streams.evaluate.shard import Shard
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.segments.fencing import Fencing
from tests.simulation.checks import live_verdicts
from tests.simulation.plan import Fault, Kind, Plan
from tests.simulation.processes import TOPICS
from tests.simulation.reduce import as_test, checked, fewest

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of warnings of a broker that is away say nothing here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("seed", [3])
def test_a_seed_comes_to_the_right_verdicts(seed: int) -> None:
    run = checked(Plan.drawn(seed))
    assert not run.wrong
    assert list(run.commands())


@pytest.mark.simulation
@pytest.mark.parametrize("first", range(100, 160, 4))
def test_more_seeds_come_to_the_right_verdicts(first: int) -> None:
    wrong = {}
    for seed in range(first, first + 4):
        run = checked(Plan.drawn(seed))
        if run.wrong:
            wrong[seed] = run.wrong[:3]
    assert not wrong, f"see python -m tests.simulation --first {min(wrong)} --seeds 1"


@pytest.mark.simulation
def test_a_worker_that_stood_still_between_a_search_and_a_creation_creates_nothing() -> None:
    still = Fault("freeze_at_write", seconds=7.0, what="incident-deliveries", count=6)
    assert not checked(Plan.drawn(20089).with_faults([still])).wrong


_NOT_COPIED = (
    Fault("deny", at=5.0, seconds=80.0, what=TOPICS.rejected),
    Fault("crash", at=40.0, seconds=2.0, who=0),
    Fault("crash", at=55.0, seconds=2.0, who=1),
    Fault("stop", at=70.0, seconds=1.0, who=0),
)


@pytest.mark.parametrize("seed", [3, 11])
def test_rejected_records_are_copied_though_the_topic_took_none_until_workers_had_ended(seed: int) -> None:
    run = checked(replace(Plan.drawn(seed), layout=("all", "all"), leased=(True, True), faults=_NOT_COPIED))
    assert not run.wrong
    assert run.values(TOPICS.rejected)


@pytest.mark.simulation
def test_a_seed_is_the_same_run_in_each_process() -> None:
    lines = set()
    for hash_seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--first", "7", "--seeds", "1"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        lines.add(printed.partition("\n")[0])
    assert len(lines) == 1
    assert lines.pop().startswith("seed 7: ")


@pytest.mark.simulation
def test_what_judging_costs_changes_no_verdict() -> None:
    """The speed of a machine sizes the ranges after which states are written and the loop gets its turn, no verdict."""
    plan = replace(
        Plan.drawn(5),
        layout=("ingest", "agents"),
        leased=(True, True),
        asks=False,  # when a person's wish applies depends on how far was judged
        faults=(
            Fault("crash", at=20.0, seconds=40.0, who=1),  # what waits then is judged in several strides
            Fault("crash", at=70.0, seconds=5.0, who=0),
            Fault("away", at=90.0, seconds=20.0),
        ),
    )
    runs = [checked(replace(plan, cost_seed=seed)) for seed in (1, 3)]
    assert [run.wrong for run in runs] == [[], []]
    one, other = (live_verdicts(run) for run in runs)
    assert (one.slis, one.transitions, one.commands) == (other.slis, other.transitions, other.commands)
    assert one.commands
    assert runs[0].digest.hex() != runs[1].digest.hex()  # they were judged in other ranges


# -- the simulation finds what is broken ----------------------------------------------------------------------

_BY_TURNS: tuple[Kind, ...] = ("cut_off", "cut_off", "freeze", "crash") * 3
#: Two processes of ingest that lose their group's coordinator, crash and stand still by turns.
_ZOMBIES = replace(
    Plan.drawn(0),
    partitions=2,
    seconds=120,
    layout=("ingest", "ingest", "agents"),
    leased=(False, False, True),
    faults=tuple(
        Fault(kind, at=10.0 + 8 * n, seconds=9.0 if n % 3 else 15.0, who=n % 2)
        for n, kind in enumerate(_BY_TURNS)
    ),
)
_LOST = replace(
    Plan.drawn(2),
    layout=("all", "all"),
    leased=(True, True),
    faults=(
        Fault("drop", at=20.0, seconds=60.0, amount=0.4),
        Fault("lose", at=20.0, seconds=60.0, amount=0.2),
    ),
)
_RECEIVERS = replace(
    Plan.drawn(1),
    layout=("all",),
    leased=(True,),
    faults=tuple(
        Fault("receiver", at=0.0, seconds=100.0, what=f"{sink}:500")
        for sink in ("pagerduty", "datadog", "slack")
    ),
)


def _break_fencing(patch: pytest.MonkeyPatch) -> None:
    """What a former owner writes too late counts."""
    patch.setattr(Fencing, "segment", lambda self, segment: [segment])


def _break_replacing(patch: pytest.MonkeyPatch) -> None:
    """A later record of a block adds to what the earlier one said."""
    note = Shard._add_segment

    def add(self: Shard, segment: Any) -> None:
        key = segment.partition, segment.block, segment.env
        before = self._pending.get(key, [])
        note(self, segment)
        self._pending[key] = before + self._pending.get(key, [])

    patch.setattr(Shard, "_add_segment", add)


def _break_writing(patch: pytest.MonkeyPatch) -> None:
    """What the broker does not take is not written again."""

    async def write(self: BatchProducer, records: Iterable[ProducerRecord], **_: object) -> None:
        with suppress(KafkaError):
            await self._write_once(list(records))

    patch.setattr(BatchProducer, "write", write)


def _break_delivery(patch: pytest.MonkeyPatch) -> None:
    """What a receiver does not take is not sent again."""
    attempt = Deliverer._attempt

    async def once(self: Deliverer, *arguments: Any) -> Any:
        answer = await attempt(self, *arguments)
        return Delivered() if isinstance(answer, Retry) else answer

    patch.setattr(Deliverer, "_attempt", once)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("plan", "break_it"),
    [
        (_ZOMBIES, _break_fencing),
        (replace(_LOST, faults=()), _break_replacing),
        (_LOST, _break_writing),
        (_RECEIVERS, _break_delivery),
    ],
)
def test_what_is_broken_is_found(
    plan: Plan, break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    assert checked(plan).wrong


@pytest.mark.simulation
@pytest.mark.parametrize("plan", [_ZOMBIES, _LOST, _RECEIVERS])
def test_what_is_not_broken_is_right(plan: Plan) -> None:
    assert not checked(plan).wrong


def test_the_fewest_faults_are_found() -> None:
    faults = [Fault("crash", at=float(n)) for n in range(12)]
    culprits = [faults[3], faults[8]]
    assert fewest(faults, lambda some: all(one in some for one in culprits)) == culprits
    assert fewest(faults, lambda some: True) == []


def test_a_reduced_seed_is_told_as_a_test() -> None:
    plan = Plan.drawn(3).with_faults([Fault("crash", at=3.5, who=1)])
    told = as_test(plan)
    assert "Plan.drawn(3)" in told
    assert "Fault('crash', at=3.5, who=1)" in told
    compile(told, "test", "exec")
