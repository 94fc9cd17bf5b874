"""How fast do watchofficer and its peers do one job on the same bytes? ``python -m benchmarks.peers``.

The job is to count events and distinct people who failed, per auth method and minute of event time. The events are on
one partition of the embedded broker, valid and without duplicates, because the peers neither validate nor de-duplicate;
one in a hundred is a minute late, and all systems wait for late events. Each system does the job in a process of its
own on one core, while the broker has the others; the time runs from the first event to the answer, so neither start nor
group join counts, and what runs on the JVM does the job twice, once to be compiled. Then the same is done from a file,
beside databases. A wrong answer ends the benchmark.
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
from pathlib import Path

from benchmarks.peers import from_files, jvm_built
from benchmarks.peers.installed import NoPeers, install, pinned
from benchmarks.peers.job import OURS, PER_SECOND, Window, Worker, WrongAnswer, answer_of, check, job_events
from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.filled import fill
from detectors.instants import HOUR, MINUTE, format_instant
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock

__all__ = ["PEERS", "compare"]

_ROOT = Path(__file__).resolve().parents[2]
_METHODS = ("sis", "ssoe")
_TIMEOUT = 90.0  # seconds for a worker's start and its job


PEERS = (
    Worker("bytewax", "Bytewax", "with_bytewax", 0.5, 2, "it keeps nothing, as recovery is off by default"),
    Worker(
        "quix", "Quix Streams", "with_quix", 0.25, 10, "it commits RocksDB and a changelog topic at the end"
    ),
    Worker("faust", "stock faust-streaming", "with_faust", 0.06, 20, "it keeps changelog topics"),
    Worker(
        "kafka_streams",
        "Kafka Streams",
        "WithKafkaStreams",
        1.0,
        2,
        "it keeps changelog topics and commits at the end, at least once",
        on_jvm=True,
    ),
    Worker(
        "flink",
        "Flink",
        "WithFlink",
        1.0,
        2,
        "it keeps its state by a checkpoint every 5 s and at the end, at least once",
        on_jvm=True,
    ),
)


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
        run = jvm_built.command(jvm_built.build(), worker.script) if worker.on_jvm else []
        run = run or [str(python), "-W", "ignore", script]
        command = [*run, broker, Topics(prefix).login_events, str(count)]
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
            # A system that would run for ever is ended once it has answered.
            told = answer_of(process.stdout)
            if told is not None:
                return told
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
    start = now - now % MINUTE - (count * 1000 // PER_SECOND + 2 * MINUTE) - 2 * HOUR
    events = job_events(count, start)
    rates: dict[str, list[float]] = {worker.name: [] for worker in (OURS, *peers)}
    with EmbeddedBroker() as broker:
        for run in range(runs):
            for worker in (OURS, *peers):
                mine = events[: max(1, round(count * worker.share))]
                prefix = f"p{uuid.uuid4().hex[:6]}."
                last = start + len(mine) * 1000 // PER_SECOND
                there = await _fill(broker.address, Topics(prefix), mine, last)
                seconds, windows = await asyncio.to_thread(
                    _work, worker, python, broker.address, prefix, there
                )
                check(worker, windows, mine)
                rates[worker.name].append(len(mine) / seconds)
                print(f"run {run + 1}: {worker.title}: {rates[worker.name][-1]:,.0f} events/s", flush=True)
    known = pinned()
    versions = {
        "bytewax": known["bytewax"],
        "quix": known["quixstreams"],
        "faust": known["faust-streaming"],
        "kafka_streams": jvm_built.pinned()["kafka"],
        "flink": jvm_built.pinned()["flink"],
    }
    size = sum(map(len, events)) / len(events)
    return [
        figure(
            f"peers_{peer.name}",
            f"Counts and distinct failing people per method and minute, beside {peer.title}",
            "events/s",
            rates[OURS.name],
            goal=Goal("at least", peer.goal, "ratio"),
            compared_with=f"{peer.title} {versions[peer.name]}",
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
    parser.add_argument(
        "--only", nargs="*", choices=[one.name for one in PEERS], help="beside these peers alone"
    )
    add_options(parser, runs=3)
    options = parser.parse_args()
    try:
        peers = [one for one in PEERS if options.only is None or one.name in options.only]
        python = install()
        found = asyncio.run(compare(options.events, options.runs, python, peers))
        if options.only is None:
            found += from_files.compare(options.events, options.runs, python)
        report(found, options.results)
    except (NoPeers, WrongAnswer) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
