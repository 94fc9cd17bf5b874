"""Ingest and evaluate on a model of Kafka: whatever crashes, stands still or comes in another order, the same verdicts.

The oracle says which SLIs there are to be, from the log and the marks; a replay of the log says which transitions,
commands and history, from the log, the marks and the T that inputs were given.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from detectors.incidents import Command, IncidentInput
from detectors.instants import parse_instant
from detectors.scopes import ENVS
from streams.evaluate.shard_state import ShardState
from streams.kafka.topics import env_partition
from streams.records.verdicts import decode_command, log_out
from streams.replay.entries import Begin, Entry, Mark
from streams.replay.replay import Replay
from streams.replay.topic_source import checkpoint_at
from tests.detectors.engine.episodes import POLICY, STEP
from tests.simulation.model import INTERNAL, TOPICS, TopicReader
from tests.simulation.model_run import ALL, NONE, Run
from tests.support.depth import examples
from tests.support.oracle import HOUR, NOON, judge

pytestmark = pytest.mark.timeout(900)
many = settings(
    max_examples=examples(12),  # seconds each
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
NUMBERS = {"step": STEP, "retention": HOUR, "sli_every": STEP}


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
        commands += verdict.result.commands
        transitions += [
            line(log_out(TOPICS, 0, t, {}, POLICY.hash).value) for t in verdict.result.transitions
        ]
        for record in verdict.result.history:
            history[str(record["env"]), record["at"]] = record["scopes"]
    check_transitions(run, transitions, end)
    check_commands(run, commands, end)
    check_history(run, history)
    check_from_a_checkpoint(run, log, marks, said.slis, transitions, commands, asked=asked)
    event("commands" if commands else "no commands")


def check_from_a_checkpoint(
    run: Run,
    log: list[list[tuple[bytes | None, int]]],
    marks: dict[int, list[tuple[int, Mark]]],
    slis: list[dict[str, Any]],
    transitions: list[dict[str, Any]],
    commands: list[Command],
    *,
    asked: list[tuple[int, IncidentInput]],
) -> None:
    """A replay that begins in the middle says of the rest what one from the beginning says."""
    stamps = [stamp for records in log for _, stamp in records]
    since = run.random.randint(min(stamps), max(stamps))
    reader: Any = TopicReader(run.world, ever=True)
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
        step = verdict.result
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
        for at, incident_input in msgspec.msgpack.decode(value, type=ShardState).scheduled:
            if (at, incident_input) not in out:
                out.append((at, incident_input))
    for env in ENVS:
        records = run.kafka.read(TOPICS.inputs, env_partition(env, INTERNAL))
        asked = [msgspec.json.decode(record.value or b"") for record in records]
        ids = {one["id"] for one in asked if one["env"] == env}
        assert {one.id for _, one in out if one.env == env} == ids, "an input was never given a T"
        copies = sum(one["env"] == env for one in asked)
        assert sum(one.env == env for _, one in out) <= copies, "an input was given two T"
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
@example(
    seed=3929263438, partitions=3
)  # one that its owner had told but some environments of, before it died
def test_whatever_crashes_or_stands_still_the_verdicts_are_the_same(seed: int, partitions: int) -> None:
    run = Run(seed, ALL, partitions=partitions).run()
    for what, times in run.happened.items():
        event(f"{what}: {min(times, 5)}")
    check(run)
