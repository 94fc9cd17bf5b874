"""Replay says what the oracle says: every ``sli`` line and every count, on whatever producers may send."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from detectors.policy.policy import Policy
from streams.events.columns import columns_of
from streams.events.decode import decode
from streams.events.validation import Rejection
from streams.replay.entries import Entry, Mark
from streams.replay.facts import events as engine
from streams.replay.replay import Replay
from streams.replay.sources import partitions
from streams.replay.verdict_lines import objects
from streams.settings.policy_file import read_policy
from tests.streams.events.strategies import broken, event_bytes, odd_events, plain_events
from tests.support.depth import examples
from tests.support.oracle import DEFAULTS, NOON, SECOND, Judgement, Record, judge, written
from tests.support.oracle_event import Invalid, event_of
from tests.support.strategies import Log, Variation, kafka_logs, marked_logs, plain_logs, variations

#: A fifth of the steps, for tests of what comes before any step is judged.
COARSE = Variation("{step: 5s, watermark_delay: 0s}", {"step": 5 * SECOND, "watermark_delay": 0})
thorough = settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def expected(log: Log, variation: Variation) -> Judgement:
    """What the oracle says, and a word to hypothesis about what the log had in it."""
    said = judge(log.partitions, variation.numbers | {"now": log.now}, log.marks)
    for name in ("rejected", "duplicates", "late", "too_late"):
        if getattr(said, name):
            event(name)
    return said


@cache
def policy_of(yaml: str) -> Policy:
    return read_policy(yaml, "policy.yaml")


def replayed(
    inputs: Sequence[Iterator[Entry]], now: int, variation: Variation
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The ``sli`` objects and the ``summary`` of a replay."""
    every = variation.numbers.get("sli_every", DEFAULTS["sli_every"])
    run = Replay(inputs, policy_of(variation.yaml), now=now, sli_every=every)
    slis = [one for one in objects(run.run()) if one["type"] == "sli"]
    return slis, run.summary.as_json()


def agree(said: Judgement, slis: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Compare, the counts first, as they explain the rest."""
    assert {name: summary[name] for name in said.summary()} == said.summary()
    assert slis == said.slis
    assert [list(line) for line in slis] == [list(line) for line in said.slis]  # the order of the fields


def inputs_of(log: Log) -> list[Iterator[Entry]]:
    """The partitions as replay takes them, each mark before the record that it names."""
    inputs = []
    for number, records in enumerate(log.partitions):
        entries: list[Entry] = []
        marks = log.marks.get(number, [])
        for offset, (value, timestamp) in enumerate(records):
            entries += [Mark(watermark) for at, watermark in marks if at == offset]
            entries.append((timestamp, value))
        inputs.append(iter(entries))
    return inputs


@thorough
@given(st.one_of(plain_logs(), kafka_logs(), marked_logs()), variations())
def test_slis_and_counts_are_those_of_the_definitions(log: Log, variation: Variation) -> None:
    agree(expected(log, variation), *replayed(inputs_of(log), log.now, variation))


@settings(thorough, max_examples=examples(20))
@given(st.one_of(plain_logs(), kafka_logs(), marked_logs()), variations(), st.integers(1, 20))
def test_the_batches_in_which_a_log_is_read_change_nothing(
    log: Log, variation: Variation, batch: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_BATCH", batch)
        agree(expected(log, variation), *replayed(inputs_of(log), log.now, variation))


@settings(thorough, max_examples=examples(20))
@given(plain_logs(), st.booleans())
def test_files_of_plain_lines_are_one_partition_or_a_partition_each(log: Log, partitioned: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder, f"{n}.jsonl")) for n in range(len(log.partitions))]
        for name, records in zip(names, log.partitions, strict=True):
            Path(name).write_bytes(b"\n \t\r\n".join(value for value, _ in records if value is not None))
        read = replayed(partitions(names, partitioned=partitioned), log.now, COARSE)
    if not partitioned:
        log = Log([[record for records in log.partitions for record in records]], log.now)
    agree(expected(log, COARSE), *read)


@settings(thorough, max_examples=examples(20))
@given(kafka_logs(), st.randoms(use_true_random=False))
def test_a_dump_of_kcat_is_split_by_its_partitions(log: Log, random: Any) -> None:
    waiting = [list(enumerate(records)) for records in log.partitions]
    lines = []
    while left := [number for number, records in enumerate(waiting) if records]:
        number = random.choice(left)
        offset, record = waiting[number].pop(0)
        lines.append(_envelope(number, offset, record))
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder, "dump.jsonl")
        name.write_bytes(b"\n".join(lines))
        read = replayed(partitions([str(name)]), log.now, COARSE)
    agree(expected(log, COARSE), *read)


def _envelope(partition: int, offset: int, record: Record) -> bytes:
    """A line as ``kcat -J`` prints it: bytes that are not UTF-8 stand in it as they are."""
    value, timestamp = record
    envelope = {
        "topic": "login-events",
        "partition": partition,
        "offset": offset,
        "tstype": "logappend",
        "ts": timestamp,
        "broker": 1,
        "key": None,
        "payload": None if value is None else value.decode("utf-8", "surrogateescape"),
    }
    return json.dumps(envelope, ensure_ascii=False).encode("utf-8", "surrogateescape")


def test_a_line_that_is_no_envelope_in_a_dump_is_a_rejected_record(tmp_path: Path) -> None:
    odd = [b"no JSON", b'{"topic":"t","partition":"x","offset":0,"payload":"{}"}', b"[" * 100_000]
    dump = tmp_path / "dump"
    dump.write_bytes(b"\n".join([_envelope(0, 0, (b"{}", NOON)), *odd]))
    _, summary = replayed(partitions([str(dump)]), NOON, Variation("{}"))
    assert (summary["events"], summary["rejected"]) == (4, 4)


def test_a_payload_that_its_escapes_make_too_long_is_read_whole(tmp_path: Path) -> None:
    event = event_bytes(occurred_at=written(NOON), unknown='"' * 30_000)
    dump = tmp_path / "dump"
    dump.write_bytes(_envelope(0, 0, (event, NOON)))
    assert len(event) < 65_536 < dump.stat().st_size
    _, summary = replayed(partitions([str(dump)]), NOON, Variation("{}"))
    assert summary["accepted"] == 1


@settings(thorough, max_examples=examples(200))
@given(st.one_of(plain_events(), odd_events(), broken()))
def test_the_decoder_takes_what_the_oracle_takes(value: bytes) -> None:
    decoded = decode(value)
    try:
        said = event_of(value)
    except Invalid:
        said = None
    if isinstance(decoded, Rejection) or said is None:
        assert said is None
        assert isinstance(decoded, Rejection)
        return
    assert (decoded.event_id, decoded.occurred_at) == (said.id, said.at)
    assert decoded.duration_ms == said.duration
    _, found, _ = columns_of([value])
    (kind,) = (found.table.known[n] for n in found.kinds.tolist())
    code = (said.code or "", said.error_class) if said.outcome == "failure" else ("", "")
    assert kind == (said.env, said.leaf, said.step, said.outcome, *code)
