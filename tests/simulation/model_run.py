"""A run of ingest and evaluate on a model of Kafka: who steps when, and what goes wrong, are drawn from a seed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from detectors.incidents import IncidentInput
from streams.kafka.topics import env_partition
from streams.records.models import encode_input
from streams.replay.entries import Mark
from streams.replay.topic_source import read_marks
from tests.detectors.engine.episodes import POLICY
from tests.simulation.model import (
    INTERNAL,
    TOPICS,
    EvaluateWorker,
    IngestWorker,
    Kafka,
    TopicReader,
    Worker,
    World,
)
from tests.support.arrivals import Arrival, arrivals, asked
from tests.support.oracle import NOON, SECOND

__all__ = ["ALL", "NONE", "Faults", "Run"]

#: What is younger is not compacted (``min.compaction.lag.ms``), ms.
LAG = 60 * SECOND


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
        """The input partitions are dealt out anew among those who answer."""
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
        """The environments are dealt out anew."""
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
        """Go on with a worker to the end of its round."""
        rounds = worker.rounds
        while worker.rounds == rounds:
            worker.step()

    # -- the scheduler ----------------------------------------------------------------------------------------

    def run(self) -> Run:
        """Let all arrive, under faults, and then come to rest."""
        self.rebalance_ingest()
        self.rebalance_evaluate()
        waiting = list(self.arrivals)
        inputs = list(self.asked)
        last = max(self.arrivals[-1].at if self.arrivals else NOON, NOON)
        while self.kafka.now < last + 5 * SECOND:
            self._fault()
            if self.random.random() < 0.98:
                for _ in range(self.random.choice([1, 1, 5, 20])):
                    workers = (*self.ingest, *self.evaluate, *self.zombies)
                    self._step(self.random.choice([one for one in workers if not one.frozen]))
            else:
                self._advance(waiting, inputs, self.random.choice([100, 300, 1_000, 1_000, 4_000]))
        for one in (*self.zombies, *self.ingest):
            one.frozen, one.deaf, one.blind = False, 0, set()
        self.rebalance_ingest()
        for _ in range(30):
            for worker in (*self.zombies, *self.ingest, *self.evaluate):
                worker.deaf = 0
                for _ in range(3):
                    self.finish(worker)
            self._advance(waiting, inputs, SECOND)
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

    def _advance(self, waiting: list[Arrival], inputs: list[tuple[int, IncidentInput]], by: int) -> None:
        kafka = self.kafka
        kafka.now += by
        while waiting and waiting[0].at <= kafka.now:
            one = waiting.pop(0)
            kafka.append(TOPICS.login_events, one.partition, None, one.value, one.timestamp)
        while inputs and inputs[0][0] <= kafka.now:
            _, value = inputs.pop(0)
            kafka.append(
                TOPICS.inputs, env_partition(value.env, INTERNAL), value.env.encode(), encode_input(value)
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
        """Values and timestamps (ms) of the input, by partition."""
        return [
            [(r.value, r.timestamp) for r in self.kafka.read(TOPICS.login_events, p)]
            for p in range(self.partitions)
        ]

    def marks(self) -> dict[int, list[tuple[int, Mark]]]:
        """As a replay of the topic reads them."""
        reader: Any = TopicReader(self.world, ever=True)
        return asyncio.run(read_marks(reader, TOPICS))
