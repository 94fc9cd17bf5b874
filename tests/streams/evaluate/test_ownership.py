"""Two workers that both believe to own a shard: what the former one writes too late changes no verdict."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.engine.engine import Engine
from detectors.engine.state import EngineState
from detectors.history.history import History
from detectors.incidents import IncidentInput
from detectors.lifecycle.lifecycle import LifecycleMemory
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.ownership.claims import CLAIM_KEY, Claim, StateLog, decode_claim, encode_claim
from streams.evaluate.ownership.owner import Access, TakenOver, take_over
from streams.evaluate.shard_state import ShardState, decode_state
from streams.kafka.producer import ProducerRecord
from streams.records.models import encode_input
from streams.records.reading import OwnRecords
from streams.records.verdicts import command_out, log_out, notice_out
from streams.segments.codec import (
    FormatError,
    Frontier,
    NewerVersion,
    Segment,
    encode,
    frontier_key,
    segment_key,
)
from tests.detectors.engine.episodes import ENV, POLICY, STEP, Episode, rows_of
from tests.support.depth import examples
from tests.support.oracle import NOON, SECOND
from tests.support.stepped_kafka import (
    INTERNAL,
    SINKS,
    TOPICS,
    BatchProducer,
    EvaluateWorker,
    Kafka,
    TopicReader,
    World,
)

_TRAFFIC = [
    Episode(60, 0.5, 0.0, "ssoe", "idme", 0.0, 1),
    Episode(120, 0.0, 0.9, "ssoe", "idme", 0.0, 1),
    Episode(300, 0.5, 0.0, "ssoe", "idme", 0.0, 1),
]
_ROWS = rows_of(_TRAFFIC)
_WISHES: tuple[dict[str, Any], ...] = (
    {"kind": "note", "text": "on it"},
    {"kind": "acknowledge"},
    {"kind": "resolve"},
    {"kind": "declare", "incident": None, "scope": f"{ENV}/ssoe"},
)
_PLACE = TopicPartition(TOPICS.watch_state, 0)


class Fleet:
    """One shard, and the workers that own it, or believe so, one after the other.

    Attributes:
        workers: all that have not ended; the last one owns the shard.
        taken_over: how many found that they had lost it.
    """

    def __init__(self, seed: int = 0) -> None:
        self.kafka = Kafka(NOON)
        self.world = World(self.kafka, POLICY, Random(seed), 1)
        self.workers: list[EvaluateWorker] = []
        self.taken_over = 0
        self.until = 0
        self._asked = 0
        self._generation = 0
        self.succeed()

    def succeed(self) -> None:
        """Let another worker own the shard; the one before is not told."""
        self._generation += 2
        worker = EvaluateWorker(self.world)
        worker.owned = (self._generation, {0})
        self.workers.append(worker)

    def end(self, worker: EvaluateWorker) -> None:
        """Kill a worker; another follows the last."""
        worker.end()
        is_last = worker is self.workers[-1]
        self.workers.remove(worker)
        if is_last:
            self.succeed()

    def step(self, worker: EvaluateWorker, times: int = 1) -> None:
        """Advance a worker. One that finds that it has lost the shard ends."""
        try:
            for _ in range(times):
                worker.step()
        except TakenOver:
            self.taken_over += 1
            self.end(worker)

    def facts(self, until: int) -> None:
        """All facts up to ``until`` (ms after noon) are there, and the frontier behind them."""
        self.until = max(self.until, until)
        rows = [row for row in _ROWS if row.pane < NOON + self.until]
        some = Segment(STEP, 8192, POLICY.thresholds, 0, 0, ENV, 0, len(rows), rows, 1)
        front = Frontier(
            0,
            1,
            1,
            len(rows) + 1,
            NOON + self.until,
            marked="",
            unread_since=None,
            written_at=self.kafka.now,
            tallies=[],
        )
        self.kafka.append(TOPICS.segments, 0, segment_key(some), encode(some))
        self.kafka.append(TOPICS.segments, 0, frontier_key(front), encode(front))

    def ask(self, what: dict[str, Any]) -> None:
        """A person asks for something."""
        self._asked += 1
        wish = {"incident": f"{ENV}-1"} | what
        value = IncidentInput(id=f"wish-{self._asked}", env=ENV, by="Ada", **wish)
        self.kafka.append(TOPICS.inputs, 0, ENV.encode(), encode_input(value))

    def settle(self) -> None:
        """Until the owner has nothing left to do."""
        rounds, worker = 0, self.workers[-1]
        while rounds < 60:
            before = worker.rounds
            self.step(worker)
            if worker is not self.workers[-1]:
                rounds, worker = 0, self.workers[-1]
            rounds += worker.rounds - before if worker.rounds > before else 0

    def in_force(self) -> list[ShardState]:
        """The states that no worker wrote after another had claimed the shard."""
        greatest, found = 0, []
        for record in self.kafka.archive.get((TOPICS.watch_state, 0), ()):
            if record.value is None:
                continue
            term = msgspec.msgpack.decode(record.value)["term"]
            greatest = max(greatest, term)
            if record.key != CLAIM_KEY and term == greatest:
                found.append(decode_state(record.value))
        return found

    def check(self) -> None:
        """Each input has one T, and all that was written is what one worker says that applies them at these T."""
        for worker in self.workers:
            worker.end()
        given: list[tuple[int, IncidentInput]] = []
        for state in self.in_force():
            given += [one for one in state.scheduled if one not in given]
        assert sorted(wish.id for _, wish in given) == sorted(f"wish-{n + 1}" for n in range(self._asked))
        log, commands = self._expected(sorted(given, key=lambda one: one[0]))
        written = {_line(value) for value in self._values(TOPICS.incident_log)}
        # whether an input was refused is told, and is no transition
        assert {line for line in written if json.loads(line)["type"] != "refused"} == log
        assert set(self._values(TOPICS.commands)) == commands

    def _values(self, topic: str) -> list[bytes]:
        return [
            record.value
            for partition in range(INTERNAL)
            for record in self.kafka.archive.get((topic, partition), ())
            if record.value is not None
        ]

    def _expected(self, asked: list[tuple[int, IncidentInput]]) -> tuple[set[str], set[bytes | None]]:
        def make(env: str) -> Engine:
            return Engine(
                env, POLICY, History.of(env, POLICY), sinks=SINKS, sli_every=POLICY.sli_every, durations=True
            )

        one = Evaluator(POLICY, make)
        one.add({ENV: _ROWS})
        goal = NOON + self.until
        verdicts = [verdict.result for verdict in one.advance(goal - goal % STEP, {ENV: asked})]
        lines = {
            _line(log_out(TOPICS, 0, transition, {}, POLICY.hash).value or b"")
            for result in verdicts
            for transition in result.transitions
        }
        lines |= {
            _line(notice_out(TOPICS, 0, notice).value or b"")
            for result in verdicts
            for notice in result.notices
        }
        commands = {command_out(TOPICS, INTERNAL, c).value for result in verdicts for c in result.commands}
        return lines, commands


def _line(value: bytes) -> str:
    """A line of the log, without how far the input had been read then."""
    read = json.loads(value)
    read.pop("offsets", None)
    return json.dumps(read, sort_keys=True)


@pytest.mark.long
@pytest.mark.parametrize("wish", _WISHES, ids=lambda wish: str(wish["kind"]))
def test_a_worker_that_lost_its_shard_between_any_two_records_gives_no_input_a_t_of_its_own(
    wish: dict[str, Any],
) -> None:
    """The former owner gives an input a T, and its write of that lands after its successor was restored."""
    lost = 0
    for steps in (*range(8), 14, 28, 56):
        fleet = Fleet()
        fleet.facts(120 * SECOND)
        fleet.settle()
        (former,) = fleet.workers
        fleet.ask(wish)
        fleet.facts(130 * SECOND)
        fleet.step(former, steps)
        if former in fleet.workers:
            fleet.succeed()
        fleet.settle()
        if former in fleet.workers:
            fleet.step(former, 200)
        fleet.facts(180 * SECOND)
        fleet.settle()
        lost += fleet.taken_over
        fleet.check()
    assert lost


@pytest.mark.parametrize("begin", [61, 90])
@pytest.mark.parametrize("wish", _WISHES, ids=lambda wish: str(wish["kind"]))
def test_a_worker_that_lost_its_shard_judges_no_t_at_which_its_successor_applies_an_input(
    wish: dict[str, Any], begin: int
) -> None:
    """The former owner reads segments on, and no inputs: it judges as far as it had claimed, and no further."""
    fleet = Fleet()
    fleet.facts(begin * SECOND)
    fleet.settle()
    (former,) = fleet.workers
    former.deaf = True
    fleet.succeed()
    fleet.settle()
    fleet.ask(wish)
    for until in (begin + 9, 150):
        fleet.facts(until * SECOND)
        fleet.step(former, 400 if until == 150 else 100)
        assert fleet.taken_over == (until == 150)
        fleet.settle()
    fleet.check()


_ACTIONS = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("step"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("facts"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("ask"), st.integers(0, len(_WISHES) - 1), st.just(0)),
    st.tuples(st.just("succeed"), st.just(0), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("deaf"), st.integers(0, 2), st.just(0)),
)


@settings(max_examples=examples(40))
@given(seed=st.integers(0, 1_000), actions=st.lists(_ACTIONS, max_size=40))
def test_whoever_writes_when_each_verdict_is_the_one_of_the_inputs_in_force(
    seed: int, actions: list[tuple[str, int, int]]
) -> None:
    fleet = Fleet(seed)
    fleet.facts(100 * SECOND)
    for kind, number, times in actions:
        some = fleet.workers[-3:]
        worker = some[number % len(some)]
        match kind:
            case "step":
                fleet.step(worker, times)
            case "facts":
                fleet.facts(fleet.until + number * 5 * SECOND)
            case "ask":
                fleet.ask(_WISHES[number])
            case "succeed":
                fleet.succeed()
            case "end":
                fleet.end(worker)
            case "deaf":
                worker.deaf = worker is not fleet.workers[-1]
    for worker in fleet.workers:
        worker.deaf = False
    fleet.facts(fleet.until + 30 * SECOND)
    fleet.settle()
    fleet.facts(fleet.until + 30 * SECOND)
    fleet.settle()
    fleet.check()


# -- claims --------------------------------------------------------------------------------------------------


def _state(term: int, reached: int, inputs_to: int = 0) -> ShardState:
    engine = EngineState(reached, LifecycleMemory(at=reached), None, reached)
    return ShardState(engine=engine, board=(), inputs_to=inputs_to, term=term)


def test_a_state_behind_the_claim_of_a_successor_is_late_however_far_it_has_come() -> None:
    found = StateLog()
    assert found.written(ENV, _state(0, 10))  # of a build that knew no terms
    found.claimed(Claim(term=1, judged_to=30))
    assert not found.written(ENV, _state(0, 20))
    assert found.states()[ENV] == _state(0, 10)
    assert found.written(ENV, _state(1, 5))
    assert found.states()[ENV] == _state(1, 5)
    found.claimed(Claim(term=0, judged_to=90))
    assert (found.term, found.judged_to) == (1, 30)


def test_a_late_state_counts_where_compaction_has_left_no_other() -> None:
    found = StateLog()
    found.claimed(Claim(term=3, judged_to=0))
    assert not found.written(ENV, _state(1, 20))
    assert found.states() == {ENV: _state(1, 20)}
    found.written(ENV, _state(3, 10))
    found.written(ENV, _state(2, 40))
    assert found.states() == {ENV: _state(3, 10)}


def test_of_one_owner_a_repeated_write_that_comes_late_changes_nothing() -> None:
    found = StateLog()
    for state in (_state(1, 10, 1), _state(1, 10, 2), _state(1, 10, 1)):
        found.written(ENV, state)
    assert found.states() == {ENV: _state(1, 10, 2)}


def test_a_claim_that_is_none_or_newer_is_told_apart() -> None:
    claim = Claim(term=7, judged_to=NOON)
    assert decode_claim(encode_claim(claim)) == claim
    with pytest.raises(NewerVersion):
        decode_claim(msgspec.msgpack.encode({"version": 9, "term": "?"}))
    for junk in (b"", b"junk", msgspec.msgpack.encode({"version": 2})):
        with pytest.raises(FormatError):
            decode_claim(junk)


def test_a_build_that_knows_no_terms_refuses_a_claim() -> None:
    with pytest.raises(NewerVersion):
        decode_state(encode_claim(Claim(term=1, judged_to=0)))


class Taking:
    """A worker that takes the partition over, from stop to stop."""

    def __init__(self, world: World) -> None:
        producer: Any = BatchProducer(world)
        reader: Any = TopicReader(world)
        access = Access(producer, reader, OwnRecords(TOPICS))
        self._running = take_over(access, _PLACE, lambda env: env == ENV)
        self.owner: Any = None

    def step(self) -> None:
        try:
            if self.owner is None:
                self._running.send(None)
        except StopIteration as end:
            self.owner, _ = end.value


@given(order=st.lists(st.integers(0, 2), max_size=60))
def test_no_two_owners_have_one_term_and_the_last_claim_is_the_greatest(order: list[int]) -> None:
    kafka = Kafka(NOON)
    world = World(kafka, POLICY, Random(0), 1)
    workers = [Taking(world) for _ in range(3)]
    for number in (*order, *([0, 1, 2] * 30)):
        workers[number].step()
    terms = [worker.owner.term for worker in workers]
    assert len(set(terms)) == 3
    claims = [decode_claim(record.value or b"") for record in kafka.archive[_PLACE.topic, 0]]
    assert max(terms) == max(claim.term for claim in claims)


def _appended(fleet: Fleet, records: list[ProducerRecord]) -> None:
    for out in records:
        fleet.kafka.append(out.topic, out.partition or 0, out.key, out.value)


def test_words_of_processes_between_two_claims_are_passed_by() -> None:
    fleet = Fleet()
    fleet.facts(60 * SECOND)
    fleet.settle()
    for until in range(70, 160, 5):
        _appended(fleet, [ProducerRecord(TOPICS.watch_state, b"process/a", None, 0)])
        fleet.facts(until * SECOND)
        fleet.settle()
    assert fleet.taken_over == 0
    assert len(fleet.workers) == 1
    fleet.check()
