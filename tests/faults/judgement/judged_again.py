"""What does `replay` make of a run's log and marks, in one process without faults?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import Command, Incident, IncidentInput
from detectors.instants import parse_instant
from detectors.policy.policy import Policy
from sinks.banner.banner import Banner
from streams.kafka.topics import Topics
from streams.records.verdicts import command_out, history_out, log_out, notice_out, refused_out
from streams.replay.replay import Replay
from streams.replay.topic_source import read_topic
from streams.replay.verdict_lines import objects

__all__ = ["Verdicts", "history_by_then", "replay_command", "replayed"]

_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Verdicts:
    """All results of a run without faults, as they would be on the topics.

    Attributes:
        objects: the objects that `replay --format jsonl` prints, without the summary.
        summary: the counts.
        lines: the lines of the incident log, without the offsets, which depend on how far a live run had read.
        incidents: the last state of each incident.
        until: the last T, ms.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    banners: dict[tuple[str, int], Banner] = field(default_factory=dict)
    until: int = 0

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a type."""
        return [one for one in self.objects if one["type"] == kind]


def history_by_then(written: Iterable[dict[str, Any]], again: Verdicts) -> dict[str, dict[str, Any]]:
    """Return the history by key at the end of the replay; a live run's T continues after the last event.

    Args:
        written: the records of a live run, in order; late events cause records to be written again.
        again: the replay; beyond its last T a live run may have written further revisions of its records.
    """
    versions: dict[str, list[dict[str, Any]]] = {}
    went_on = set()
    for record in written:
        versions.setdefault(f"{record['env']}|{record['at']}", []).append(record)
        if parse_instant(record["at"]) + HISTORY_SPAN > again.until:
            went_on.add(record["env"])
    out = {}
    for key, some in versions.items():
        expected = again.history.get(key)
        if expected is not None and expected in some and some[-1]["env"] in went_on:
            out[key] = expected
        else:
            out[key] = some[-1]
    return out


def replayed(topic: str, policy: Policy, now: int, inputs: Sequence[tuple[int, IncidentInput]]) -> Verdicts:
    """Replay a topic of ``WATCHOFFICER_BROKER``.

    Args:
        topic: the name of the topic, with the prefix.
        policy: the policy.
        now: ms since the epoch.
        inputs: (T, input): the incident inputs, each with the T (ms) at which it was applied.
    """
    spools = read_topic(topic)
    run = Replay(
        [spools[key].entries() for key in sorted(spools)],
        policy,
        now=now,
        sli_every=policy.sli_every,
        inputs=inputs,
    )
    topics, out = Topics(), Verdicts()
    verdicts = []
    for verdict in run.run():
        verdicts.append(verdict)
        step = verdict.result
        for transition in step.transitions:
            out.incidents[transition.incident.id] = transition.incident
            out.lines.append(json.loads(log_out(topics, 0, transition, {}, policy.hash).value or b""))
        for one, why in step.refused:
            out.lines.append(json.loads(refused_out(topics, 0, step.at, one, why).value or b""))
        for notice in step.notices:
            out.lines.append(json.loads(notice_out(topics, 0, notice).value or b""))
        for command in step.commands:
            assert command.id not in out.commands, f"two commands are called {command.id}"
            out.commands[command.id] = command
            command_out(topics, 1, command)
        for record in step.history:
            written = history_out(topics, 0, record)
            out.history[(written.key or b"").decode()] = json.loads(written.value or b"")
        for banner in (*verdict.banners, *verdict.shown):
            out.banners[banner.key, banner.version] = banner
    out.objects = objects(verdicts)
    out.summary = run.summary.as_json()
    out.until = run.span[1] if run.span else 0
    return out


def replay_command(topic: str, policy: Path, every: str, inputs: Path) -> list[dict[str, Any]]:
    """Return the objects that the command `replay` prints for ``NAME[@FROM..TO]``."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "streams.cli", "replay", f"topic:{topic}", "--policy", str(policy)),
            *("--format", "jsonl", "--sli-every", every, "--inputs", str(inputs)),
        ],
        env=os.environ,
        cwd=_ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"replay ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
