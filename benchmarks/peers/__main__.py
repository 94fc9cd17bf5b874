"""How fast do watchofficer and its peers do one job on the same bytes? ``python -m benchmarks.peers``.

The job is to count events and distinct people who failed, per auth method and minute of event time. The events are on
one partition of the embedded broker, valid and without duplicates, because the peers neither validate nor de-duplicate;
one in a hundred is a minute late, and all systems wait for late events. Each system does the job in a process of its
own on one core, while the broker has the others; the time runs from the first event to the answer, so neither start nor
group join counts. A wrong answer ends the benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.installed import NoPeers, install, pinned
from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.filled import fill
from detectors.instants import HOUR, MINUTE, format_instant, parse_instant
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from tests.support.mixed_events import mixed_events

__all__ = ["OURS", "PEERS", "Worker", "WrongAnswer", "check", "compare", "expected", "job_events"]

_ROOT = Path(__file__).resolve().parents[2]
_PER_SECOND = 1_000  # events per second of event time
_METHODS = ("sis", "ssoe")
_TIMEOUT = 90.0  # seconds for a worker's start and its job
#: (minute, method, events, distinct people who failed)
Window = list[Any]


class WrongAnswer(Exception):
    """A measured system gave a wrong answer."""


@dataclass(frozen=True)
class Worker:
    """A system that does the job.

    Attributes:
        name: the name of its figure.
        title: the system in words.
        script: its script in this folder, without suffix.
        share: the share of the events that it receives; slow systems receive fewer.
        goal: how many times as fast watchofficer must be; 0 for watchofficer itself.
        keeps: what would survive a crash.
    """

    name: str
    title: str
    script: str
    share: float
    goal: float
    keeps: str = ""


OURS = Worker("watchofficer", "watchofficer's ingest", "with_watchofficer", 1.0, 0)
PEERS = (
    Worker("bytewax", "Bytewax", "with_bytewax", 0.5, 2, "it keeps nothing, as recovery is off by default"),
    Worker(
        "quix", "Quix Streams", "with_quix", 0.25, 10, "it commits RocksDB and a changelog topic at the end"
    ),
    Worker("faust", "stock faust-streaming", "with_faust", 0.06, 20, "it keeps changelog topics"),
)
_DISTRIBUTION = {"bytewax": "bytewax", "quix": "quixstreams", "faust": "faust-streaming"}


def job_events(count: int, start: int) -> list[bytes]:
    """Return ``count`` valid events from ``start`` (ms), without duplicates; one in a hundred is a minute late."""
    events: dict[str, bytes] = {}
    for _, value in mixed_events(count + count // 20, start, _PER_SECOND):
        try:
            events.setdefault(json.loads(value)["event_id"], value)
        except ValueError:
            continue
    return list(events.values())[:count]


def expected(events: Sequence[bytes]) -> list[Window]:
    """Return the right answer, counted in the simplest way."""
    counts: dict[tuple[int, str], int] = {}
    people: dict[tuple[int, str], set[str]] = {}
    for value in events:
        event = json.loads(value)
        at = parse_instant(event["occurred_at"])
        cell = (at - at % MINUTE, event["auth_method"])
        counts[cell] = counts.get(cell, 0) + 1
        failing = people.setdefault(cell, set())
        if event["outcome"] == "failure":
            failing.add(event["user_hash"])
    return [[at, method, count, len(people[at, method])] for (at, method), count in sorted(counts.items())]


def check(worker: Worker, windows: Sequence[Window], events: Sequence[bytes]) -> None:
    """Compare an answer with the expected one; windows that hold only a closing event are left out.

    Raises:
        WrongAnswer: the answers differ.
    """
    wanted = expected(events)
    last: int = wanted[-1][0]
    found = [window for window in windows if window[0] <= last]
    if found != wanted:
        wrong = [window for window in found if window not in wanted]
        raise WrongAnswer(f"{worker.title} counted wrongly: {wrong[:3]}, expected {wanted[:3]}")


def _closing(last: int) -> list[bytes]:
    """Return a failure of each method an hour after the last event, for systems in which later events close windows."""
    return [
        json.dumps(
            {
                "schema_version": 1,
                "event_id": f"closing-{method}",
                "occurred_at": format_instant(last + HOUR),
                "env": "prod",
                "auth_method": method,
                "step": "token",
                "outcome": "failure",
                "user_hash": "h:closing",
            }
        ).encode()
        for method in _METHODS
    ]


async def _fill(broker: str, topics: Topics, events: Sequence[bytes], last: int) -> int:
    """Write the events and the closing events to one partition; return their number."""
    await create_missing(topics, {"bootstrap_servers": broker}, input_partitions=1)
    stamped = [(last, value) for value in events] + [(last + HOUR, value) for value in _closing(last)]
    records = ((at, b"ssoe" if b'"ssoe"' in value else b"sis", value) for at, value in stamped)
    return await fill(broker, topics.login_events, 0, records)


def _work(worker: Worker, python: Path, broker: str, prefix: str, count: int) -> tuple[float, list[Window]]:
    """Run a system; return the seconds that it took, and its answer."""
    if worker is OURS:
        command = [sys.executable, "-m", f"benchmarks.peers.{worker.script}", broker, prefix, str(count)]
    else:
        script = str(Path(__file__).with_name(f"{worker.script}.py"))
        command = [str(python), "-W", "ignore", script, broker, Topics(prefix).login_events, str(count)]
    with tempfile.TemporaryDirectory(prefix="watchofficer-peers-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "said"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env=os.environ | {"TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        if len(cores) > 1:
            os.sched_setaffinity(process.pid, {cores[0]})
        given_up = threading.Timer(_TIMEOUT, process.kill)
        given_up.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:  # a system that would run for ever is ended once it has answered
                if line.startswith('{"seconds"'):
                    told = json.loads(line)
                    return told["seconds"], told["windows"]
        finally:
            given_up.cancel()
            process.kill()
            process.communicate()
        said = log.read_text(errors="replace").strip()[-1500:]
        raise WrongAnswer(f"{worker.title} gave no answer within {_TIMEOUT:.0f} s, or ended: {said}")


async def compare(count: int, runs: int, python: Path, peers: Sequence[Worker] = PEERS) -> list[Figure]:
    """Measure a figure for each peer.

    Args:
        count: the number of events for watchofficer; each peer receives its share of them.
        runs: how often each system does the job.
        python: the interpreter with the peers installed.
        peers: the peers to compare.

    Raises:
        WrongAnswer: a system gave a wrong answer.
    """
    now = RealClock()()
    start = now - now % MINUTE - (count * 1000 // _PER_SECOND + 2 * MINUTE) - 2 * HOUR
    events = job_events(count, start)
    rates: dict[str, list[float]] = {worker.name: [] for worker in (OURS, *peers)}
    with EmbeddedBroker() as broker:
        for run in range(runs):
            for worker in (OURS, *peers):
                mine = events[: max(1, round(count * worker.share))]
                prefix = f"p{uuid.uuid4().hex[:6]}."
                last = start + len(mine) * 1000 // _PER_SECOND
                there = await _fill(broker.address, Topics(prefix), mine, last)
                seconds, windows = await asyncio.to_thread(
                    _work, worker, python, broker.address, prefix, there
                )
                check(worker, windows, mine)
                rates[worker.name].append(len(mine) / seconds)
                print(f"run {run + 1}: {worker.title}: {rates[worker.name][-1]:,.0f} events/s", flush=True)
    versions = pinned()
    size = sum(map(len, events)) / len(events)
    return [
        figure(
            f"peers_{peer.name}",
            f"Counts and distinct failing people per method and minute, beside {peer.title}",
            "events/s",
            rates[OURS.name],
            goal=Goal("at least", peer.goal, "ratio"),
            compared_with=f"{peer.title} {versions[_DISTRIBUTION[peer.name]]}",
            ceilings=rates[peer.name],
            note=f"{round(count * peer.share):,} events of {size:.0f} bytes ({count:,} for us), one core each; "
            f"{peer.keeps}; all answers equal the expected one",
        )
        for peer in peers
    ]


def main() -> None:
    """Install the peers if necessary, measure, and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--events", type=int, default=400_000, help="for watchofficer; the others get a share"
    )
    add_options(parser, runs=3)
    options = parser.parse_args()
    try:
        report(asyncio.run(compare(options.events, options.runs, install())), options.results)
    except (NoPeers, WrongAnswer) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
