"""How much memory does an evaluating worker need when a million people failed within an hour? ``-m benchmarks.memory``.

A separate process takes in an hour of failures, one second after another as live, and reports its resident memory
before, at the end and at most. Each person fails once; half of them on either auth method, or all on both. Then more
people fail than are counted exactly, and the deviation of the figure from the true number is reported beside its stated
error. This is repeated for many smaller crowds, because one estimate may be good by chance.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.impacted import START
from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from detectors.instants import HOUR, SECOND
from detectors.scopes import SCOPES
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.impact import Impact
from detectors.windows.people.failed import Failed
from tests.support.facts import columns_of

__all__ = ["main"]

_SECONDS = 3600
_MB = 1 << 20
#: The number of people who are counted exactly when the error is measured.
_EXACTLY = 10_000


def _resident() -> float:
    """Return the resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MB


def _hold(people: int, seconds: int, methods: int, exactly: int | None) -> None:
    """Take in the failures and print the memory; runs in the process that is measured."""
    from benchmarks.impacted import seconds_of
    from detectors.engine.engine import Engine
    from detectors.engine.view import sli_of
    from detectors.history.history import History
    from streams.runtime.gc_tuning import tune_gc
    from streams.settings.policy_file import default_policy, read_policy

    policy = default_policy()
    if exactly is not None:
        policy = read_policy(f"exact_people: {exactly}", "benchmark")
    engine = Engine("prod", policy, History("prod"), sinks=frozenset({"pagerduty", "datadog", "slack"}))
    tune_gc()
    before = _resident()
    for n, rows in enumerate(seconds_of(people, seconds, policy, methods=methods)):
        engine.advance(START + (n + 1) * policy.step, rows)
    assert engine.last is not None
    hour = sli_of(engine.last, -1, SCOPES.index(""), HOUR)
    found = {
        "before": before,
        "after": _resident(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "people": hour.users_impacted,
        "error": hour.users_impacted_error,
    }
    print(json.dumps(found))


def _measured(people: int, seconds: int, methods: int, exactly: int | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", "--hold", str(methods)]
    command += ["--people", str(people), "--seconds", str(seconds)]
    if exactly is not None:
        command += ["--exactly", str(exactly)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _figure(name: str, people: int, methods: int, found: Sequence[dict[str, float]]) -> Figure:
    last = found[-1]
    of = "either auth method" if methods == 1 else "both auth methods each"
    off = 100 * abs(last["people"] - people) / people
    said = f" (off by {off:.2g} %, stated: {100 * last['error']:.2g} %)" if last["error"] else ""
    return figure(
        name,
        f"memory with {people:,} people impacted in the hour, on {of}",
        "MB",
        [one["after"] for one in found],
        goal=Goal("at most", 300.0),
        note=f"{last['before']:.0f} MB before the first of them, {last['peak']:.0f} MB at most; "
        f"{'estimated' if said else 'counted'}: {last['people']:,.0f} people{said}",
    )


def _within(crowds: int) -> Figure:
    """Measure how often an estimate lies within its stated error, over many crowds.

    Each crowd has three times as many people as are counted exactly.
    """
    within = 0
    for seed in range(crowds):
        people = np.unique(np.random.default_rng(seed).integers(0, 1 << 64, 3 * _EXACTLY, dtype=np.uint64))
        impact = Impact(fixed_scopes("prod"), SECOND, (HOUR,), _EXACTLY)
        row = FactRow(START, ON_TIME, ("ssoe", None, None), "new", "failure", people=people.tolist())
        impact.advance(START + SECOND, 1, Failed.of(columns_of([row], SECOND)))
        found = impact.distinct_since(SCOPES.index(""), START + SECOND, START)
        within += abs(found.people - len(people)) <= found.error * found.people
    return figure(
        "memory_error",
        f"estimates that lie within the error they state, {crowds} crowds of {3 * _EXACTLY:,} people",
        "%",
        [100 * within / crowds],
        note=f"95 are to be expected; where up to {_EXACTLY:,} are counted exactly",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure memory and errors, and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument(
        "--crowd", type=int, default=3_000_000, help="people who are too many to count exactly"
    )
    parser.add_argument(
        "--exactly", type=int, help="so many are counted exactly (default: as the policy says)"
    )
    parser.add_argument("--crowds", type=int, default=200, help="crowds of which the error is looked at")
    parser.add_argument("--seconds", type=int, default=_SECONDS)
    parser.add_argument("--hold", type=int, metavar="METHODS", help=argparse.SUPPRESS)
    add_options(parser, runs=1)
    options = parser.parse_args(arguments)
    if options.hold:
        _hold(options.people, options.seconds, options.hold, options.exactly)
        return
    figures = []
    for name, people, methods in (
        ("memory", options.people, 1),
        ("memory_both_methods", options.people, 2),
        ("memory_crowd", options.crowd, 2),
    ):
        found = [_measured(people, options.seconds, methods, options.exactly) for _ in range(options.runs)]
        figures.append(_figure(name, people, methods, found))
    figures.append(_within(options.crowds))
    report(figures, options.results)


if __name__ == "__main__":
    main()
