"""What a worker that judges holds in memory when a million people failed within the hour: ``-m benchmarks.memory``.

A process of its own takes an hour of failures, a second after the other as live, and says what it holds resident
afterwards and at most, and before. Each person fails once; half on either auth method, or all on both.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, Goal, add_options, figure, report

__all__ = ["main"]

_SECONDS = 3600
_MB = 1 << 20


def _resident() -> float:
    """MB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MB


def _hold(people: int, seconds: int, methods: int) -> None:
    """Take the failures, and print what is held. In the process that is measured."""
    from benchmarks.impacted import START, seconds_of
    from detectors.history import History
    from detectors.instants import HOUR
    from detectors.policy import default_policy
    from detectors.scopes import SCOPES
    from detectors.watch import Watch
    from streams.collector import calm_collector

    policy = default_policy()
    watch = Watch("prod", policy, History("prod"), sinks=frozenset({"pagerduty", "datadog", "slack"}))
    calm_collector()
    before = _resident()
    for n, rows in enumerate(seconds_of(people, seconds, policy, methods=methods)):
        watch.advance(START + (n + 1) * policy.step, rows)
    hour = watch.latest(SCOPES.index(""), HOUR)
    assert hour is not None
    found = {
        "before": before,
        "after": _resident(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "people": hour.users_impacted,
    }
    print(json.dumps(found))


def _measured(people: int, seconds: int, methods: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", "--hold", str(methods)]
    command += ["--people", str(people), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _figure(name: str, people: int, seconds: int, methods: int, runs: int) -> Figure:
    found = [_measured(people, seconds, methods) for _ in range(runs)]
    last = found[-1]
    of = "either auth method" if methods == 1 else "both auth methods each"
    return figure(
        name,
        f"memory with {people:,} people impacted in the hour, on {of}",
        "MB",
        [one["after"] for one in found],
        goal=Goal("at most", 300.0),
        note=f"{last['before']:.0f} MB before the first of them, {last['peak']:.0f} MB at most; "
        f"counted: {last['people']:,.0f} people",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=_SECONDS)
    parser.add_argument("--hold", type=int, metavar="METHODS", help=argparse.SUPPRESS)
    add_options(parser, runs=1)
    options = parser.parse_args(arguments)
    if options.hold:
        _hold(options.people, options.seconds, options.hold)
        return
    report(
        [
            _figure(name, options.people, options.seconds, methods, options.runs)
            for name, methods in (("memory", 1), ("memory_both_methods", 2))
        ],
        options.results,
    )


if __name__ == "__main__":
    main()
