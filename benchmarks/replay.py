"""How long does `replay` take for a day of events, with steps of a second and all detectors? ``-m benchmarks.replay``.

The day is simulated, with an outage of SSOe, after two weeks of history; it has about a million events in all
environments. The events are read from a file, and all objects that ``--format jsonl`` prints are built. A second figure
measures only the way from lines to facts, without judging. Beside both stands the time in which the lines of the same
file are read and decoded, measured just before each run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.decoding import DECODING, decoding
from detectors.instants import DAY, HOUR, parse_instant
from streams.aggregate.acceptance import Rules
from streams.aggregate.rejected_share import RejectedShare
from streams.replay.facts.events import Input
from streams.replay.replay import Replay
from streams.replay.sources import partitions
from streams.replay.summary import Summary
from streams.replay.verdict_lines import objects
from streams.runtime.gc_tuning import tune_gc
from streams.settings.policy_file import default_policy
from streams.simulate.simulation import simulate

__all__ = ["main"]

#: Midnight in Washington, so that the day is a whole local day.
_START = "2026-11-23T05:00:00Z"
_LATER = parse_instant(_START) + 2 * DAY
#: Sign-ins per second at the peak; with them a day of 24 hours has a million events.
_RATE_OF_A_MILLION = 2.65


History = list[dict[str, Any]]


def _day(start: int, hours: int, rate: float, folder: Path) -> tuple[Path, History, int]:
    """Simulate the day; return its file, the history before it, and the number of events."""
    simulation = simulate("ssoe_outage", 1, start, hours * HOUR, rate)
    path = folder / "day.jsonl"
    count = 0
    with path.open("wb") as file:
        for line in simulation.lines():
            file.write(line + b"\n")
            count += 1
    return path, list(simulation.history()), count


def _judged(path: Path, history: History) -> int:
    """Replay the file with all detectors; return the number of accepted events."""
    run = Replay(partitions([str(path)]), default_policy(), now=_LATER, history=history)
    found = objects(run.run())
    if not any(one["type"] == "transition" for one in found):
        raise SystemExit("the replay did not find the outage")
    return run.summary.accepted


def _folded(path: Path, _: History) -> int:
    """Accept the events and fold them to facts, without judging; return the number of accepted events."""
    summary = Summary()
    rules = Rules.of(default_policy())
    for entries in partitions([str(path)]):
        one = Input(entries, rules, summary, _LATER, RejectedShare(), begun=True)
        while not one.ended:
            one.read()
            one.cells.drain()
    return summary.accepted


def _decoded(path: Path) -> float:
    """Measure the seconds in which the events are read and decoded, and nothing else."""
    with path.open("rb") as file:
        return decoding(file)


def _seconds(
    measured: Callable[[Path, History], int], path: Path, history: History, count: int
) -> tuple[float, float]:
    """Measure a call: seconds of wall-clock time and of CPU time."""
    began, cpu = time.perf_counter(), time.process_time()
    if measured(path, history) < 0.9 * count:
        raise SystemExit("the replay did not accept the events")
    return time.perf_counter() - began, time.process_time() - cpu


def _figures(start: int, hours: int, rate: float, runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path, history, count = _day(start, hours, rate, Path(folder))
        tune_gc()
        beside_judged, judged, beside_folded, folded = [], [], [], []
        for _ in range(runs):
            beside_judged.append(_decoded(path))
            judged.append(_seconds(_judged, path, history, count))
            beside_folded.append(_decoded(path))
            folded.append(_seconds(_folded, path, history, count))
    on_cpu = statistics.median(cpu for _, cpu in judged)
    return [
        figure(
            "replay",
            f"replay of {hours} hours, {count:,} events, 1 s steps, all detectors",
            "s",
            [wall for wall, _ in judged],
            goal=Goal("at most", 5.0, "ratio"),
            compared_with=DECODING,
            ceilings=beside_judged,
            note=f"CPU time {on_cpu:.1f} s; the rest of the cost is by step and scope, not by event",
        ),
        figure(
            "replay_without_detectors",
            f"the same without judging, {count:,} events",
            "events/s",
            [count / wall for wall, _ in folded],
            goal=Goal("at least", 0.5, "ratio"),
            compared_with=DECODING,
            ceilings=[count / seconds for seconds in beside_folded],
            note=f"of CPU time {statistics.median(count / cpu for _, cpu in folded):,.0f} events/s",
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure replay and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--start", default=_START, help="in RFC 3339")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument(
        "--rate", type=float, default=_RATE_OF_A_MILLION, help="sign-ins a second at the peak"
    )
    add_options(parser, runs=3)
    options = parser.parse_args(arguments)
    report(_figures(parse_instant(options.start), options.hours, options.rate, options.runs), options.results)


if __name__ == "__main__":
    main()
