"""Shards: what a new owner must know of what the one before it has done, by examples."""

from __future__ import annotations

import json
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from detectors.detection.burn_rate import BurnRateDetector
from detectors.engine.sla_days import day_of
from detectors.history.history import FIELDS
from detectors.incidents import IncidentInput
from detectors.instants import DAY, HOUR, format_instant
from streams.evaluate.ownership.claims import CLAIM_KEY
from streams.evaluate.shard_state import decode_state
from streams.kafka.producer import ProducerRecord
from streams.records.models import encode_input
from streams.records.progress import evaluated_to_in
from streams.records.verdicts import decode_command, history_out
from streams.runtime.progress import Why
from streams.segments.codec import Frontier, Segment, encode, frontier_key, segment_key
from tests.detectors.engine.episodes import ENV, POLICY, STEP, Episode, rows_of
from tests.support.oracle import NOON, SECOND
from tests.support.stepped_kafka import INTERNAL, TOPICS, EvaluateWorker, Kafka, World

OUTAGE = [Episode(60, 0.5, 0.0, "ssoe", "idme", 0.0, 1), Episode(60, 0.0, 0.9, "ssoe", "idme", 0.0, 1)]


class Shard:
    """One shard, one input partition, and one worker after another."""

    def __init__(self) -> None:
        self.kafka = Kafka(NOON)
        self.world = World(self.kafka, POLICY, Random(1), 1)
        self.generation = 0
        self.worker = self._worker()

    def _worker(self) -> EvaluateWorker:
        self.generation += 1
        worker = EvaluateWorker(self.world)
        worker.owned = (self.generation, {0})
        return worker

    def crash(self) -> None:
        self.worker.end()
        self.worker = self._worker()

    def write(self, outs: Iterable[ProducerRecord]) -> None:
        for out in outs:
            self.kafka.append(out.topic, out.partition or 0, out.key, out.value)

    def facts(self, until: int, *, watermark: int | None = None, generation: int = 1) -> None:
        """The facts of the outage up to ``until`` (ms after noon), and the frontier behind them."""
        rows = [row for row in rows_of(OUTAGE) if row.pane < NOON + until]
        last = len(rows)
        some = Segment(STEP, 8192, POLICY.thresholds, 0, 0, ENV, 0, last, rows, generation)
        self.write([ProducerRecord(TOPICS.segments, segment_key(some), encode(some), 0)])
        self.frontier(last + 1, NOON + until if watermark is None else watermark, generation=generation)

    def frontier(self, next_offset: int, watermark: int, *, generation: int = 1, **more: Any) -> None:
        fields = {"marked": "", "unread_since": None, "written_at": self.kafka.now} | more
        front = Frontier(0, 1, generation, next_offset, watermark, tallies=[], **fields)
        self.write([ProducerRecord(TOPICS.segments, frontier_key(front), encode(front), 0)])

    def ask(self, wish: IncidentInput) -> None:
        self.kafka.append(TOPICS.inputs, 0, ENV.encode(), encode_input(wish))

    def judge(self) -> None:
        """Until nothing is left to do."""
        for _ in range(60):
            rounds = self.worker.rounds
            while self.worker.rounds == rounds:
                self.worker.step()

    def judge_until_it_writes(self, topic: str) -> None:
        before = self.written(topic)
        while self.written(topic) == before:
            self.worker.step()

    def written(self, topic: str) -> int:
        return sum(self.kafka.end(topic, partition) for partition in range(INTERNAL))

    def values(self, topic: str) -> list[bytes]:
        records = [r for partition in range(INTERNAL) for r in self.kafka.archive.get((topic, partition), ())]
        return [record.value for record in records if record.value is not None]

    def kinds(self) -> list[tuple[int, str]]:
        """(seconds after noon, kind) of the transitions, in the order in which they were written."""
        return [
            ((decoded["at"]), decoded["type"])
            for decoded in map(json.loads, self.values(TOPICS.incident_log))
        ]

    def assigned(self) -> dict[str, set[int]]:
        out: dict[str, set[int]] = {}
        for record in self.kafka.archive.get((TOPICS.watch_state, 0), ()):
            if record.key != CLAIM_KEY and record.value is not None:
                for at, wish in decode_state(record.value).scheduled:
                    out.setdefault(wish.id, set()).add(at)
        return out


NOTE = IncidentInput(id="n", env=ENV, kind="note", incident=f"{ENV}-1", by="Ada", text="on it")


def test_an_input_is_given_no_t_that_was_judged_before_a_crash() -> None:
    # the commands of a T are out and its state is not: without it nobody would know that it had been judged
    shard = Shard()
    shard.facts(90 * SECOND)
    shard.judge_until_it_writes(TOPICS.commands)
    (opened, *_) = [decode_command(value) for value in shard.values(TOPICS.commands)]
    shard.crash()
    shard.ask(NOTE)
    shard.facts(120 * SECOND)
    shard.judge()
    ((at,),) = shard.assigned().values()
    assert at > NOON + 90 * SECOND >= opened.at
    commands = [decode_command(value) for value in shard.values(TOPICS.commands)]
    assert len(commands) > len({command.id for command in commands})
    assert all(one == other for one in commands for other in commands if one.id == other.id)


def test_how_far_it_is_evaluated_is_reported_with_what_holds_it_back_and_forgotten_when_given_away() -> None:
    shard = Shard()
    shard.facts(90 * SECOND)
    shard.judge()
    progress = shard.worker.progress
    assert set(progress.evaluated_to().values()) == {NOON + 90 * SECOND}
    assert ENV in progress.evaluated_to()
    assert progress.held_back_by(ENV) == (
        f"the furthest behind is partition 0 of the input, at {format_instant(NOON + 90 * SECOND)}"
    )
    shard.worker.evaluate.keep([])
    assert progress.evaluated_to() == {}


def test_a_fault_of_one_detector_neither_stops_evaluation_nor_goes_untold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = Shard()
    usual.facts(90 * SECOND)
    usual.judge()
    monkeypatch.setattr(BurnRateDetector, "judge", lambda self, frame: frame.counts[1])
    shard = Shard()
    shard.facts(90 * SECOND)
    shard.judge()
    assert shard.kinds()[0] == usual.kinds()[0]
    assert shard.worker.progress.evaluated_to()[ENV] == NOON + 90 * SECOND
    (obstacle,) = shard.worker.progress.obstacles()
    assert (obstacle.why, obstacle.key) == (Why.FAULT, f"{ENV}/burn_rate")
    shard.worker.evaluate.keep([])
    assert shard.worker.progress.obstacles() == ()


def test_an_environment_without_an_event_tells_its_progress_in_states_that_change_nothing() -> None:
    shard = Shard()
    for seconds in range(0, 60, 5):
        shard.frontier(0, NOON + seconds * SECOND)
        shard.judge()
    states = [one for one in shard.kafka.archive[TOPICS.watch_state, 0] if one.key != CLAIM_KEY]
    told = [evaluated_to_in(record.headers) or 0 for record in states if record.key == ENV.encode()]
    assert len(told) >= 5
    assert told == sorted(set(told))
    assert {decode_state(record.value).engine.evaluated_to for record in states if record.value} == {None}
    shard.crash()
    shard.facts(90 * SECOND, generation=2)
    shard.judge()
    assert "opened" in [kind for _, kind in shard.kinds()]


def test_the_days_that_the_topic_lacks_are_told_once_as_far_as_the_history_tells_them() -> None:
    shard = Shard()
    leaf = {"axes": {"auth_method": "sis", "csp": "idme"}, "sign_in": dict.fromkeys(FIELDS, 0) | {"good": 5}}
    places = range(NOON - 3 * DAY, NOON, 6 * HOUR)
    for at in places:
        record = {"v": 2, "env": ENV, "at": at, "leaves": [leaf]}
        shard.write([history_out(TOPICS, 0, record)])
    shard.facts(60 * SECOND)
    shard.judge()
    told = [json.loads(value) for value in shard.values(TOPICS.days)]
    by_date: dict[str, int] = {}
    for at in places:
        date = day_of(at, POLICY.time_zone).date
        by_date[date] = by_date.get(date, 0) + 5
    del by_date[day_of(NOON, POLICY.time_zone).date]  # it is not over
    assert {one["date"]: one["sign_in"]["good"] for one in told if one["scope"] == "prod/sis/idme"} == by_date
    assert len(told) == 3 * len(by_date)
    shard.crash()
    shard.facts(90 * SECOND)
    shard.judge()
    assert len(shard.values(TOPICS.days)) == len(told)
