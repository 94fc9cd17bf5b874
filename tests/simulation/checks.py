"""Is what a simulated run wrote what had to be written?

The oracle says which SLIs there are to be, from the log and the marks; a replay of the log says which transitions,
commands, banners and history, from the log, the marks, and the T that inputs were given.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from aiokafka import TopicPartition

from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.scopes import ENVS
from sinks.banner.banner import Banner
from streams.evaluate.ownership.claims import CLAIM_KEY
from streams.evaluate.shard_state import ShardState
from streams.kafka.topics import env_partition
from streams.records.verdicts import banner_out, decode_command, log_out, notice_out
from streams.replay.entries import Begin, Entry, Mark
from streams.replay.replay import Replay
from streams.replay.topic_source import checkpoint_at, read_marks
from tests.detectors.engine.episodes import POLICY, STEP
from tests.simulation.cluster.storage import Log, Stored
from tests.simulation.processes import INTERNAL, TOPICS
from tests.simulation.run import Run
from tests.support.oracle import HOUR, NOON, judge

__all__ = ["Verdicts", "check_verdicts", "live_verdicts"]

_NUMBERS = {"step": STEP, "retention": HOUR, "sli_every": STEP}
_Log = list[list[tuple[bytes | None, int]]]
_Marks = dict[int, list[tuple[int, Mark]]]


@dataclass
class Verdicts:
    """What was judged, as plain values.

    Attributes:
        slis, banners: by place.
        transitions: by incident, in order; notices by environment.
        commands: by id.
        history: by (environment, instant in ms), each with all that was written there, in order.
    """

    slis: dict[Any, Any] = field(default_factory=dict)
    transitions: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    commands: dict[str, Any] = field(default_factory=dict)
    banners: dict[Any, Any] = field(default_factory=dict)
    history: dict[Any, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def until(self, end: int) -> Verdicts:
        """What lies no later than an instant, ms; history is left out, as it is revised."""
        return Verdicts(
            {k: one for k, one in self.slis.items() if parse_instant(one["at"]) <= end},
            {
                incident: kept
                for incident, some in self.transitions.items()
                if (kept := [one for one in some if parse_instant(one["at"]) <= end])
            },
            {k: one for k, one in self.commands.items() if one["at"] <= end},
            {k: one for k, one in self.banners.items() if k[1] <= end},
        )


def live_verdicts(run: Run) -> Verdicts:
    """What the run wrote; what came again and differs is told as wrong."""
    out = Verdicts()
    wrong = run.wrong

    def note(into: dict[Any, Any], key: Any, one: Any, what: str) -> None:
        if into.setdefault(key, one) != one:
            wrong.append(f"{what} {key} was written again, as {one} after {into[key]}")

    for value in run.values(TOPICS.sli):
        sli = json.loads(value)
        note(out.slis, _sli_place(sli), sli, "sli")
    for value in run.values(TOPICS.incident_log):
        one = _line(value)
        if one["type"] != "refused" and one not in out.transitions[_about(one)]:
            out.transitions[_about(one)].append(one)
    for value in run.values(TOPICS.commands):
        command = decode_command(value)
        note(out.commands, command.id, msgspec.to_builtins(command), "command")
    for log in run.logs(TOPICS.banner):
        for record in log.archive:
            _note_banner(out, record.value)
    for value in run.values(TOPICS.history):
        told = json.loads(value)
        out.history[told["env"], parse_instant(told["at"])].append(told["leaves"])
    return out


def check_verdicts(run: Run) -> Verdicts:
    """Hold what was written against the oracle and a replay; what differs goes to ``run.wrong``."""
    live = live_verdicts(run)
    log, marks = _log(run), _marks(run)
    plain = {p: [(offset, mark.watermark) for offset, mark in some] for p, some in marks.items()}
    said = judge(log, _NUMBERS, plain)
    if not said.counted:
        return live
    end = max(one.event.at for one in said.counted)
    end -= end % STEP
    slis = {_sli_place(sli): sli for sli in said.slis}
    upto = live.until(end)
    _compare(run, "sli", upto.slis, slis)
    asked = _given_t(run)
    again = _replayed(Replay(_entries(log, marks), POLICY, now=NOON, sli_every=STEP, inputs=asked))
    _compare(run, "transitions", upto.transitions, again.transitions)
    _compare(run, "commands", upto.commands, again.commands)
    _compare(run, "banners", upto.banners, again.until(end).banners)
    for key, revisions in again.history.items():
        for scopes in revisions:
            if scopes not in live.history.get(key, ()):
                run.wrong.append(f"history {key}: {scopes} was never written")
    _check_rejected(run, said.acceptance)
    _check_from_the_middle(run, log, marks, slis, again, asked)
    return live


def _compare(run: Run, what: str, live: dict[Any, Any], expected: dict[Any, Any]) -> None:
    for key in sorted({*live, *expected}, key=str):
        if live.get(key) != expected.get(key):
            run.wrong.append(f"{what} {key}: live {live.get(key)}, expected {expected.get(key)}")


def _sli_place(sli: dict[str, Any]) -> tuple[str, str, str]:
    return sli["at"], sli["scope"], sli["window"]


def _line(value: bytes | None) -> dict[str, Any]:
    """A line of the incident log, without how far the log had been read: that depends on who was how fast."""
    read: dict[str, Any] = json.loads(value or b"")
    read.pop("offsets", None)
    return read


def _about(line: dict[str, Any]) -> str:
    """The incident of a line; for a notice a name of its environment."""
    return str(line["incident"] or f"{line['env']}-notices")


def _note_banner(out: Verdicts, value: bytes | None) -> None:
    told = json.loads(value or b"")
    out.banners[told["key"], told["version"]] = told["state"], told["incident_id"]


def _replayed(replay: Replay) -> Verdicts:
    out = Verdicts()
    for verdict in replay.run():
        step = verdict.result
        for value in step.sli:
            sli = value.as_json()
            out.slis[_sli_place(sli)] = sli
        for transition in step.transitions:
            line = _line(log_out(TOPICS, 0, transition, {}, POLICY.hash).value)
            out.transitions[line["incident"]].append(line)
        for notice in step.notices:
            line = _line(notice_out(TOPICS, 0, notice).value)
            out.transitions[_about(line)].append(line)
        out.commands |= {command.id: msgspec.to_builtins(command) for command in step.commands}
        for banner in _published(verdict):
            _note_banner(out, banner_out(TOPICS, 0, banner).value)
        for record in step.history:
            out.history[str(record["env"]), record["at"]].append(record["leaves"])
    return out


def _published(verdict: Any) -> list[Banner]:
    return verdict.shown or verdict.banners  # type: ignore[no-any-return]


def _check_rejected(run: Run, fates: list[list[str]]) -> None:
    """Each record that is no event was set aside, and no other."""
    aside = set()
    for log in run.logs(TOPICS.rejected):
        for record in log.archive:
            headers = dict(record.headers)
            aside.add((int(headers["partition"]), int(headers["offset"])))
    expected = {(p, n) for p, some in enumerate(fates) for n, fate in enumerate(some) if fate == "rejected"}
    if aside != expected:
        run.wrong.append(f"set aside {sorted(aside - expected)}, missing {sorted(expected - aside)}")


# -- the log, as a replay reads it ----------------------------------------------------------------------------


class _Archive:
    """Reads what was ever written, also what compaction and retention have removed."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def read(
        self, place: TopicPartition, *, start: int = 0, since: int | None = None, end: int | None = None
    ) -> AsyncIterator[Stored]:
        """The records of a partition; see ``streams.kafka.topic_reader.Reader``."""
        found = since is None
        for record in self._run.log(place.topic, place.partition).archive:
            if end is not None and record.offset >= end:
                return
            found = found or record.timestamp >= (since or 0)
            if found and record.offset >= start:
                yield record


def _log(run: Run) -> _Log:
    return [[(r.value, r.timestamp) for r in log.archive] for log in run.logs(TOPICS.login_events)]


def _marks(run: Run) -> _Marks:
    reader: Any = _Archive(run)
    return {int(partition): marks for partition, marks in asyncio.run(read_marks(reader, TOPICS)).items()}


def _entries(log: _Log, marks: _Marks, since: int | None = None) -> list[Iterator[Entry]]:
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


def _given_t(run: Run) -> list[tuple[int, IncidentInput]]:
    """Each input with the T that it was given: no record of the topic was left out, and none was given another."""
    out: list[tuple[int, IncidentInput]] = []
    for log in run.logs(TOPICS.watch_state):
        for state in _in_force(log):
            out += [one for one in state.scheduled if one not in out]
    for env in ENVS:
        records = run.log(TOPICS.inputs, env_partition(env, INTERNAL)).archive
        asked = [msgspec.json.decode(record.value or b"") for record in records]
        ids = {wish["id"] for wish in asked if wish["env"] == env}
        given = [wish.id for _, wish in out if wish.env == env]
        if set(given) != ids:
            run.wrong.append(f"inputs of {env}: {sorted(ids)} were asked, {sorted(given)} were given a T")
        if len(given) > sum(wish["env"] == env for wish in asked):
            run.wrong.append(f"inputs of {env}: one was given two T: {sorted(given)}")
    return sorted(out, key=lambda pair: pair[0])


def _in_force(log: Log) -> Iterator[ShardState]:
    """The states of a partition that no owner wrote after it had lost the partition to one with a greater term."""
    greatest = 0
    for record in log.archive:
        if record.value is not None:
            term = msgspec.msgpack.decode(record.value)["term"]
            greatest = max(greatest, term)
            if record.key != CLAIM_KEY and term == greatest:
                yield msgspec.msgpack.decode(record.value, type=ShardState)


def _check_from_the_middle(
    run: Run,
    log: _Log,
    marks: _Marks,
    slis: dict[Any, Any],
    again: Verdicts,
    asked: list[tuple[int, IncidentInput]],
) -> None:
    """A replay that begins in the middle says of the rest what one from the beginning says."""
    stamps = [stamp for records in log for _, stamp in records]
    since = Random(f"{run.plan.seed}/middle").randint(min(stamps), max(stamps))
    reader: Any = _Archive(run)
    states, histories = (
        [TopicPartition(name, p) for p in range(INTERNAL)] for name in (TOPICS.watch_state, TOPICS.history)
    )
    checkpoint = asyncio.run(checkpoint_at(reader, states, histories, since))
    # Without a state an environment is judged anew, without the incidents that it had.
    known = checkpoint.states.keys()
    rest = _replayed(
        Replay(
            _entries(log, marks, since),
            POLICY,
            now=NOON,
            sli_every=STEP,
            inputs=asked,
            checkpoint=checkpoint,
        )
    )
    _compare(run, "sli from the middle", rest.slis, _from(slis, since))
    of_known = [
        {k: one for k, one in some.commands.items() if one["incident_id"].partition("-")[0] in known}
        for some in (rest, again)
    ]
    expected = {k: one for k, one in of_known[1].items() if one["at"] >= since}
    _compare(run, "commands from the middle", of_known[0], expected)
    lines = [
        {
            name: kept
            for name, some in told.transitions.items()
            if name.partition("-")[0] in known
            and (kept := [one for one in some if parse_instant(one["at"]) >= since])
        }
        for told in (rest, again)
    ]
    _compare(run, "transitions from the middle", *lines)


def _from(slis: dict[Any, Any], since: int) -> dict[Any, Any]:
    return {key: sli for key, sli in slis.items() if parse_instant(sli["at"]) >= since}
