"""Facts that were recorded, or that another process reads, are judged as the events they were made of."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from streams.aggregate.acceptance import Rules
from streams.replay.entries import Entry, Mark, SourceError
from streams.replay.facts import events as reading
from streams.replay.facts.apart import HERE, JudgedApart, Message, Opened, Task, messages
from streams.replay.facts.events import EventFacts
from streams.replay.facts.recording import RecordedFacts, WrittenFacts, recorded_events
from streams.replay.facts.stretch import EVERYTHING, Facts, Share
from streams.replay.replay import Replay
from streams.replay.sources import partitions
from streams.replay.verdict_lines import objects
from streams.settings.policy_file import default_policy, read_policy
from tests.support.depth import examples
from tests.support.oracle import MINUTE, NOON, SECOND
from tests.support.strategies import Log, kafka_logs, marked_logs, plain_logs

#: Steps of 5 s, as brute force does not judge here.
COARSE = read_policy("{step: 5s, watermark_delay: 0s}", "coarse")
Found = tuple[list[dict[str, object]], dict[str, object]]
LATER = NOON + 600 * SECOND
drawn = settings(
    max_examples=examples(5),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
logs = st.one_of(plain_logs(), kafka_logs(), marked_logs())


def entries_of(log: Log) -> list[Iterator[Entry]]:
    """The partitions as replay takes them, each mark before the record that it names."""
    out = []
    for number, records in enumerate(log.partitions):
        entries: list[Entry] = []
        for offset, (value, timestamp) in enumerate(records):
            entries += [Mark(watermark) for at, watermark in log.marks.get(number, []) if at == offset]
            entries.append((timestamp, value))
        out.append(iter(entries))
    return out


def found_by(replay: Replay) -> Found:
    """All that a replay prints, but for how long it took."""
    lines = objects(replay.run())
    return lines, replay.summary.as_json() | {"seconds": 0}


def opened(entries: list[Iterator[Entry]], policy: Policy, now: int) -> Opened:
    return Opened(EventFacts(entries, Rules.of(policy), now=now), lambda: ["a word"])


def judged(policy: Policy, every: int, facts: Facts, share: Share) -> Replay:
    return Replay(facts, policy, sli_every=every, judges=share)


@contextmanager
def pickled(task: Task) -> Iterator[Iterator[Message]]:
    """What another process would send, without another process."""
    yield (pickle.loads(pickle.dumps(message)) for message in messages(task))


@drawn
@given(logs)
def test_recorded_facts_and_shared_replays_print_what_one_replay_of_the_events_prints(log: Log) -> None:
    policy, every = COARSE, MINUTE
    whole = found_by(judged(policy, every, opened(entries_of(log), policy, log.now).facts, EVERYTHING))

    task = Task(partial(opened, entries_of(log), policy, log.now), partial(judged, policy, every))
    apart = JudgedApart(task, Rules.of(policy), run=pickled)
    assert found_by(judged(policy, every, apart, HERE)) == whole
    assert apart.words == ["a word"]

    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder, "facts"))
        written = WrittenFacts(opened(entries_of(log), policy, log.now).facts, name)
        for _ in written.stretches():
            pass
        assert found_by(judged(policy, every, RecordedFacts(name, Rules.of(policy)), EVERYTHING)) == whole
        assert recorded_events(name) == whole[1]["events"]


# -- what cannot be read ----------------------------------------------------------------------------------------


def _event(second: int) -> bytes:
    at = format_instant(NOON + second * SECOND)
    return (
        f'{{"schema_version":1,"event_id":"{second}","occurred_at":"{at}","env":"prod",'
        '"auth_method":"sis","step":"callback","outcome":"success"}'
    ).encode()


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file of ten minutes of events."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(_event(second) for second in range(0, 600, 3)))
    return path


@pytest.fixture
def recording(tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The facts of these events."""
    monkeypatch.setattr(reading, "_BATCH", 50)
    path = tmp_path / "facts"
    facts = EventFacts(partitions([str(events)]), Rules.of(default_policy()), now=LATER)
    assert len(list(WrittenFacts(facts, str(path)).stretches())) > 1
    return path


def _read(path: Path, rules: Rules | None = None) -> int:
    return len(list(RecordedFacts(str(path), rules or Rules.of(default_policy())).stretches()))


@pytest.mark.parametrize(
    ("field", "value"), [("watermark_delay", 5 * SECOND), ("thresholds", (100.0,)), ("dedup_ids", 7)]
)
def test_facts_that_were_recorded_by_other_rules_are_refused_by_name(
    recording: Path, field: str, value: Any
) -> None:
    with pytest.raises(SourceError, match=rf"\({field}\).*replay the events"):
        _read(recording, replace(Rules.of(default_policy()), **{field: value}))


def test_what_makes_room_in_blocks_alone_does_not_matter(recording: Path) -> None:
    assert _read(recording, replace(Rules.of(default_policy()), max_envs=3)) > 1


def test_a_recording_that_was_cut_off_is_no_recording_of_fewer_events(
    recording: Path, events: Path, tmp_path: Path
) -> None:
    whole = recording.read_bytes()
    cut = tmp_path / "cut"
    for length in range(0, len(whole) - 16, 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(SourceError):
            _read(cut)
    stopped = tmp_path / "stopped"
    facts = EventFacts(partitions([str(events)]), Rules.of(default_policy()), now=LATER)
    stretches = WrittenFacts(facts, str(stopped)).stretches()
    next(stretches)
    stretches.close()  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="ends before"):
        _read(stopped)


def test_events_are_no_recording_of_facts(events: Path) -> None:
    with pytest.raises(SourceError, match="not a recording"):
        _read(events)


def test_an_input_that_another_process_cannot_read_is_named(tmp_path: Path) -> None:
    task = Task(partial(_opened_file, str(tmp_path / "nowhere")), partial(judged, default_policy(), MINUTE))
    with pytest.raises(SourceError, match="nowhere: No such file"):
        list(JudgedApart(task, Rules.of(default_policy())).stretches())


def _opened_file(name: str) -> Opened:
    return opened(partitions([name]), default_policy(), LATER)
