"""Ingest and evaluate on a model of Kafka: whatever crashes, stands still or comes in another order, the same verdicts.

The oracle says which SLIs there are to be, from the log and the marks; a replay of the log says which transitions,
commands and history, from the log, the marks and the T that inputs were given.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from detectors.incidents import Command, IncidentInput
from detectors.instants import parse_instant
from detectors.scopes import ENVS
from streams.desk_state import DeskState
from streams.records import encode_input
from streams.replay import Replay
from streams.sources import Begin, Entry, Mark
from streams.topic_source import checkpoint_at, read_marks
from streams.topics import env_partition
from streams.verdict_records import decode_command, log_out
from tests.engine.arrivals import Arrival, arrivals, asked
from tests.engine.episodes import POLICY, STEP
from tests.engine.model import INTERNAL, TOPICS, EvaluateWorker, IngestWorker, Kafka, Reader, Worker, World
from tests.oracle import HOUR, NOON, SECOND, judge

pytestmark = pytest.mark.timeout(900)
many = settings(
    max_examples=6 if os.environ.get("CI") else 12,  # seconds each
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
#: What is younger is not compacted (``min.compaction.lag.ms``), ms.
LAG = 60 * SECOND
NUMBERS = {"step": STEP, "retention": HOUR, "sli_every": STEP}


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong, a step of the scheduler: chances."""

    ingest_crashes: float = 0.0
    ingest_freezes: float = 0.0
    ingest_rebalances: float = 0.0
    evaluate_crashes: float = 0.0
    evaluate_rebalances: float = 0.0
    compactions: float = 0.0
    blindness: float = 0.0
    forgotten_groups: float = 0.0
    crashes_while_writing: float = 0.0
    ingest_workers: int = 1
    evaluate_workers: int = 1


NONE = Faults()
ALL = Faults(
    ingest_crashes=0.002,
    ingest_freezes=0.004,
    ingest_rebalances=0.002,
    evaluate_crashes=0.002,
    evaluate_rebalances=0.001,
    compactions=0.004,
    blindness=0.004,
    forgotten_groups=0.0005,
    crashes_while_writing=0.1,
    ingest_workers=2,
    evaluate_workers=2,
)
#: Topics on which a verdict is written but once, or again after a crash.
VERDICTS = (TOPICS.commands, TOPICS.incident_log, TOPICS.incidents, TOPICS.watch_state)


class Run:
    """One run of everything over some arrivals.

    Args:
        seed: of all choices.
        faults: what goes wrong.
    """

    def __init__(self, seed: int, faults: Faults, *, partitions: int = 2, seconds: int = 240) -> None:
        self.random = Random(seed)
        self.faults = faults
        create_time = self.random.random() < 0.2
        self.arrivals = arrivals(self.random, partitions, seconds, create_time=create_time)
        self.asked = asked(self.random, seconds)
        self.kafka = Kafka(NOON)
        self.world = World(self.kafka, POLICY, self.random, partitions)
        self.partitions = partitions
        self.ingest: list[IngestWorker] = [IngestWorker(self.world) for _ in range(faults.ingest_workers)]
        self.evaluate: list[EvaluateWorker] = [
            EvaluateWorker(self.world) for _ in range(faults.evaluate_workers)
        ]
        self.zombies: list[IngestWorker] = []
        self.generations = {"ingest": 0, "evaluate": 0}
        self.happened: dict[str, int] = defaultdict(int)

    # -- the groups -------------------------------------------------------------------------------------------

    def rebalance_ingest(self) -> None:
        self._assign("ingest", [w for w in self.ingest if not w.frozen], range(self.partitions))
        for worker in self.ingest:
            if worker.frozen:
                worker.owned = (self.generations["ingest"], set())
            worker.deaf = self.random.choice([0, 0, 0, 2])

    def forget_groups(self) -> None:
        """The broker forgets the groups while nobody is in them: generations begin anew."""
        self.generations = dict.fromkeys(self.generations, 0)
        for worker in (*self.ingest, *self.evaluate, *self.zombies):
            worker.owned = (-1, set())
        for one in self.ingest:
            self.finish(one)
        self.rebalance_ingest()
        self.rebalance_evaluate()

    def rebalance_evaluate(self) -> None:
        for worker in self.evaluate:  # it ends what is under way before others take over
            self.finish(worker)
        self._assign("evaluate", self.evaluate, range(INTERNAL))

    def _assign(self, group: str, members: Sequence[Worker], places: range) -> None:
        if not members:
            return
        self.generations[group] += 1
        whose: dict[int, set[int]] = defaultdict(set)
        for place in places:
            whose[self.random.randrange(len(members))].add(place)
        for n, member in enumerate(members):
            member.owned = (self.generations[group], whose[n])

    def finish(self, worker: Worker) -> None:
        rounds = worker.rounds
        while worker.rounds == rounds:
            worker.step()

    # -- the scheduler ----------------------------------------------------------------------------------------

    def run(self) -> Run:
        self.rebalance_ingest()
        self.rebalance_evaluate()
        waiting = list(self.arrivals)
        wishes = list(self.asked)
        last = max(self.arrivals[-1].at if self.arrivals else NOON, NOON)
        while self.kafka.now < last + 5 * SECOND:
            self._fault()
            if self.random.random() < 0.98:
                for _ in range(self.random.choice([1, 1, 5, 20])):
                    workers = (*self.ingest, *self.evaluate, *self.zombies)
                    self._step(self.random.choice([one for one in workers if not one.frozen]))
            else:
                self._advance(waiting, wishes, self.random.choice([100, 300, 1_000, 1_000, 4_000]))
        for one in (*self.zombies, *self.ingest):
            one.frozen, one.deaf, one.blind = False, 0, set()
        self.rebalance_ingest()
        for _ in range(30):
            for worker in (*self.zombies, *self.ingest, *self.evaluate):
                worker.deaf = 0
                for _ in range(3):
                    self.finish(worker)
            self._advance(waiting, wishes, SECOND)
        return self

    def _step(self, worker: Worker) -> None:
        """On with a worker; one that has just written a verdict may be ended there."""
        before = sum(self.kafka.end(topic, p) for topic in VERDICTS for p in range(INTERNAL))
        worker.step()
        if not isinstance(worker, EvaluateWorker) or worker not in self.evaluate:
            return
        after = sum(self.kafka.end(topic, p) for topic in VERDICTS for p in range(INTERNAL))
        if after > before and self.random.random() < self.faults.crashes_while_writing:
            self._crash(worker)

    def _crash(self, worker: EvaluateWorker) -> None:
        self.happened["evaluate crashes"] += 1
        worker.end()
        self.evaluate[self.evaluate.index(worker)] = EvaluateWorker(self.world)
        self.rebalance_evaluate()

    def _advance(self, waiting: list[Arrival], wishes: list[tuple[int, IncidentInput]], by: int) -> None:
        kafka = self.kafka
        kafka.now += by
        while waiting and waiting[0].at <= kafka.now:
            one = waiting.pop(0)
            kafka.append(TOPICS.login_events, one.partition, None, one.value, one.timestamp)
        while wishes and wishes[0][0] <= kafka.now:
            wish = wishes.pop(0)[1]
            kafka.append(
                TOPICS.inputs, env_partition(wish.env, INTERNAL), wish.env.encode(), encode_input(wish)
            )

    def _fault(self) -> None:
        faults, random = self.faults, self.random
        if random.random() < faults.ingest_crashes:
            self.happened["ingest crashes"] += 1
            n = random.randrange(len(self.ingest))
            self.ingest[n].end()
            self.ingest[n] = IngestWorker(self.world)
            self.rebalance_ingest()
        if random.random() < faults.ingest_freezes:
            self.happened["freezes"] += 1
            n = random.randrange(len(self.ingest))
            self.ingest[n].frozen = True
            self.zombies.append(self.ingest[n])
            self.zombies[-1].deaf = random.choice([0, 1, 2, 4])
            self.ingest[n].owned = (self.generations["ingest"] + 1, set())
            self.ingest[n] = IngestWorker(self.world)
            self.rebalance_ingest()
        if self.zombies and random.random() < 0.01:
            random.choice(self.zombies).frozen = False
        if random.random() < faults.ingest_rebalances:
            self.happened["ingest rebalances"] += 1
            self.rebalance_ingest()
        if random.random() < faults.evaluate_crashes:
            self._crash(random.choice(self.evaluate))
        if random.random() < faults.evaluate_rebalances:
            self.happened["evaluate rebalances"] += 1
            self.rebalance_evaluate()
        if random.random() < faults.forgotten_groups:
            self.happened["forgotten groups"] += 1
            self.forget_groups()
        if random.random() < faults.blindness:
            self.happened["blindness"] += 1
            random.choice(self.ingest).blind ^= {random.randrange(self.partitions)}
        if random.random() < faults.compactions:
            self.happened["compactions"] += 1
            topic = random.choice([TOPICS.segments, TOPICS.ingest_state, TOPICS.watch_state, TOPICS.history])
            for partition in range(max(INTERNAL, self.partitions)):
                self.kafka.compact(topic, partition, self.kafka.now - LAG)

    # -- what came of it --------------------------------------------------------------------------------------

    def values(self, topic: str) -> Iterator[bytes]:
        """All that was ever written to a topic, in the order of each partition."""
        for partition in range(max(INTERNAL, self.partitions)):
            for record in self.kafka.archive.get((topic, partition), ()):
                if record.value is not None:
                    yield record.value

    def log(self) -> list[list[tuple[bytes | None, int]]]:
        return [
            [(r.value, r.timestamp) for r in self.kafka.read(TOPICS.login_events, p)]
            for p in range(self.partitions)
        ]

    def marks(self) -> dict[int, list[tuple[int, Mark]]]:
        """As a replay of the topic reads them."""
        reader: Any = Reader(self.world, ever=True)
        return asyncio.run(read_marks(reader, TOPICS))


def check(run: Run) -> None:
    """Everything that was written is as it has to be."""
    log, marks = run.log(), run.marks()
    plain = {p: [(offset, mark.watermark) for offset, mark in some] for p, some in marks.items()}
    said = judge(log, NUMBERS, plain)
    assert said.counted
    end = max(one.event.at for one in said.counted)
    end -= end % STEP
    check_slis(run, said.slis, end)
    asked = given_t(run)
    replayed = Replay(entries(log, marks), POLICY, now=NOON, sli_every=STEP, inputs=asked)
    transitions: list[dict[str, Any]] = []
    commands: list[Command] = []
    history: dict[tuple[str, Any], Any] = {}
    for verdict in replayed.run():
        commands += verdict.step.commands
        transitions += [line(log_out(TOPICS, 0, t, {}, POLICY.hash).value) for t in verdict.step.transitions]
        for record in verdict.step.history:
            history[str(record["env"]), record["at"]] = record["scopes"]
    check_transitions(run, transitions, end)
    check_commands(run, commands, end)
    check_history(run, history)
    check_from_a_checkpoint(run, log, marks, said.slis, transitions, commands, asked)
    event("commands" if commands else "no commands")


def check_from_a_checkpoint(
    run: Run,
    log: list[list[tuple[bytes | None, int]]],
    marks: dict[int, list[tuple[int, Mark]]],
    slis: list[dict[str, Any]],
    transitions: list[dict[str, Any]],
    commands: list[Command],
    asked: list[tuple[int, IncidentInput]],
) -> None:
    """A replay that begins in the middle says of the rest what one from the beginning says."""
    stamps = [stamp for records in log for _, stamp in records]
    since = run.random.randint(min(stamps), max(stamps))
    reader: Any = Reader(run.world, ever=True)
    states, histories = (
        [TopicPartition(name, p) for p in range(INTERNAL)] for name in (TOPICS.watch_state, TOPICS.history)
    )
    checkpoint = asyncio.run(checkpoint_at(reader, states, histories, since))
    event("goes on from a state" if checkpoint.states else "begins anew in the middle")
    rest = Replay(
        entries(log, marks, since), POLICY, now=NOON, sli_every=STEP, inputs=asked, checkpoint=checkpoint
    )
    # Without a state an environment is judged anew, without the incidents that it had.
    known = checkpoint.states.keys()
    seen: list[Any] = []
    for verdict in rest.run():
        step = verdict.step
        if step.env in known:
            seen += [line(log_out(TOPICS, 0, t, {}, POLICY.hash).value) for t in step.transitions]
            seen += step.commands
        seen += [value.as_json() for value in step.sli]
    of_known = [one for one in transitions if one["incident"].partition("-")[0] in known]
    expected: list[Any] = [one for one in (*slis, *of_known) if parse_instant(one["at"]) >= since]
    expected += [c for c in commands if c.incident_id.partition("-")[0] in known and c.at >= since]
    assert sorted(map(_words, seen)) == sorted(map(_words, expected))


def _words(one: Any) -> str:
    return json.dumps(msgspec.to_builtins(one), sort_keys=True)


def check_slis(run: Run, expected: list[dict[str, Any]], end: int) -> None:
    written: dict[tuple[str, str, str], dict[str, Any]] = {}
    for value in run.values(TOPICS.sli):
        sli = json.loads(value)
        key = (sli["at"], sli["scope"], sli["window"])
        assert written.setdefault(key, sli) == sli, "an SLI was written again, with another value"
    live = [sli for sli in written.values() if parse_instant(sli["at"]) <= end]
    assert sorted(live, key=_place) == sorted(expected, key=_place)


def _place(sli: dict[str, Any]) -> Any:
    return parse_instant(sli["at"]), sli["scope"], sli["window"]


def line(value: bytes | None) -> dict[str, Any]:
    """A line of the incident log, without how far the log had been read: that depends on who was how fast."""
    read: dict[str, Any] = json.loads(value or b"")
    read.pop("offsets", None)
    return read


def check_transitions(run: Run, expected: list[dict[str, Any]], end: int) -> None:
    lines = [line(value) for value in run.values(TOPICS.incident_log)]
    live: list[dict[str, Any]] = []
    for one in lines:
        if one["type"] != "refused" and parse_instant(one["at"]) <= end and one not in live:
            live.append(one)
    assert _by_incident(live) == _by_incident(expected)


def _by_incident(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in lines:
        out[one["incident"]].append(one)
    return out


def check_commands(run: Run, expected: list[Command], end: int) -> None:
    live: dict[str, Command] = {}
    for value in run.values(TOPICS.commands):
        command = decode_command(value)
        if command.at <= end:
            assert live.setdefault(command.id, command) == command, "a command came again, and differs"
    assert live == {command.id: command for command in expected}


def check_history(run: Run, expected: dict[tuple[str, Any], Any]) -> None:
    live: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for value in run.values(TOPICS.history):
        record = json.loads(value)
        live[record["env"], parse_instant(record["at"])].append(record["scopes"])
    for key, scopes in expected.items():
        assert scopes in live[key]


def given_t(run: Run) -> list[tuple[int, IncidentInput]]:
    """Each input with the T that it was given: no record of the topic was left out, and none was given another."""
    out: list[tuple[int, IncidentInput]] = []
    for value in run.values(TOPICS.watch_state):
        for at, wish in msgspec.msgpack.decode(value, type=DeskState).assigned:
            if (at, wish) not in out:
                out.append((at, wish))
    for env in ENVS:
        records = run.kafka.read(TOPICS.inputs, env_partition(env, INTERNAL))
        asked = [msgspec.json.decode(record.value or b"") for record in records]
        ids = {wish["id"] for wish in asked if wish["env"] == env}
        assert {wish.id for _, wish in out if wish.env == env} == ids, "an input was never given a T"
        copies = sum(wish["env"] == env for wish in asked)
        assert sum(wish.env == env for _, wish in out) <= copies, "an input was given two T"
    return sorted(out, key=lambda pair: pair[0])


def entries(
    log: list[list[tuple[bytes | None, int]]],
    marks: dict[int, list[tuple[int, Mark]]],
    since: int | None = None,
) -> list[Iterator[Entry]]:
    """What each partition holds; with a ``Begin`` before the first record from ``since`` (ms) on."""
    out = []
    for partition, records in enumerate(log):
        standing = marks.get(partition, [])
        some: list[Entry] = []
        begun = since is None
        for offset, (value, stamp) in enumerate(records):
            some += [mark for at, mark in standing if at == offset]
            if not begun and stamp >= (since or 0):
                some.append(Begin())
                begun = True
            some.append((stamp, value))
        some += [] if begun else [Begin()]
        some += [mark for at, mark in standing if at >= len(records)]
        out.append(iter(some))
    return out


@many
@given(seed=st.integers(0, 1 << 32), partitions=st.integers(1, 3))
@example(seed=66719, partitions=2)  # errors of users surge within a longer one that is told by its code
def test_without_faults_live_says_what_the_definitions_and_a_replay_say(seed: int, partitions: int) -> None:
    check(Run(seed, NONE, partitions=partitions).run())


@many
@given(seed=st.integers(0, 1 << 32), partitions=st.integers(1, 3))
@example(seed=11871, partitions=3)  # a mark of a blind partition is repeated by a new owner
def test_whatever_crashes_or_stands_still_the_verdicts_are_the_same(seed: int, partitions: int) -> None:
    run = Run(seed, ALL, partitions=partitions).run()
    for what, times in run.happened.items():
        event(f"{what}: {min(times, 5)}")
    check(run)
