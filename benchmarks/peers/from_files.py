"""How fast is the same job from a file, beside databases that keep nothing?

We do it as ``replay`` does without judging: each line is validated, duplicates are left out, and panes of a second are
counted, which are combined to minutes. DuckDB and chDB read four fields of each line on one thread; they are the
ceiling.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.installed import pinned
from benchmarks.peers.job import OURS, Window, Worker, WrongAnswer, answer_of, check, combined, job_events
from benchmarks.reporting.figures import Figure, Goal, figure
from detectors.instants import HOUR, MINUTE
from streams.aggregate.acceptance import Rules
from streams.aggregate.rejected_share import RejectedShare
from streams.replay.facts.events import Input
from streams.replay.sources import partitions
from streams.replay.summary import Summary
from streams.runtime.clocks import RealClock
from streams.runtime.gc_tuning import tune_gc
from streams.settings.policy_file import default_policy

__all__ = ["ENGINES", "compare"]

#: The databases, with the share of the quicker one's speed that is the goal.
ENGINES = (
    Worker("duckdb", "DuckDB", "with_sql", 1.0, 0.25),
    Worker("chdb", "chDB", "with_sql", 1.0, 0.25),
)
_SCRIPT = Path(__file__).with_name("with_sql.py")
_TIMEOUT = 120.0


def _ours(path: Path, now: int) -> tuple[float, list[Window]]:
    """Return the seconds and the answer of a replay that does not judge."""
    began = time.perf_counter()
    rules, rows = Rules.of(default_policy()), []
    for entries in partitions([str(path)]):
        one = Input(entries, rules, Summary(), now, RejectedShare(), begun=True)
        while not one.ended:
            one.read()
        rows += one.cells.drain().get("prod", [])
    answer = combined(rows)
    return time.perf_counter() - began, answer


def _theirs(engine: Worker, python: Path, path: Path) -> tuple[float, list[Window]]:
    done = subprocess.run(
        [str(python), "-W", "ignore", str(_SCRIPT), engine.name, str(path)],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    told = answer_of(done.stdout.splitlines())
    if told is None:
        raise WrongAnswer(f"{engine.title} gave no answer: {done.stderr.strip()[-800:]}")
    return told


def compare(count: int, runs: int, python: Path, engines: Sequence[Worker] = ENGINES) -> list[Figure]:
    """Measure a figure for each database.

    Args:
        count: the number of events.
        runs: how often each does the job.
        python: the interpreter with the databases installed.
        engines: the databases.

    Raises:
        WrongAnswer: an answer is wrong.
    """
    now = RealClock()()
    events = job_events(count, now - now % MINUTE - count - 2 * HOUR)
    rates: dict[str, list[float]] = {one.name: [] for one in (OURS, *engines)}
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:1])  # for the databases, too
    tune_gc()
    with tempfile.TemporaryDirectory(prefix="watchofficer-files-") as folder:
        path = Path(folder) / "events.jsonl"
        path.write_bytes(b"\n".join(events) + b"\n")
        for _ in range(runs):
            for one in (OURS, *engines):
                seconds, windows = _ours(path, now) if one is OURS else _theirs(one, python, path)
                check(one, windows, events)
                rates[one.name].append(count / seconds)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores)
    versions = pinned()
    return [
        figure(
            f"peers_from_files_{one.name}",
            f"The same from a file, replay without judging, beside {one.title}",
            "events/s",
            rates[OURS.name],
            goal=Goal("at least", one.goal, "ratio"),
            compared_with=f"{one.title} {versions[one.name]}",
            ceilings=rates[one.name],
            note=f"{count:,} events, one thread on one core; it validates nothing and keeps nothing; all answers equal "
            "the expected one",
        )
        for one in engines
    ]
