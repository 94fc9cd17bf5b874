"""How long does `replay` take for a month, by one process and by two, from its events and from its facts?

The month is simulated at a scale that fits: some hours of it, with an outage of SSOe, after two weeks of history. Each
way is a command of its own, from its start to its end, and all must print the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from detectors.instants import DAY, HOUR, format_instant, parse_instant
from streams.simulate.simulation import simulate

__all__ = ["main"]

_EVENTS = "one process, from events"
#: A way to judge -> the options of the command; the first writes the facts, which is not part of what is measured.
_WAYS = {
    _EVENTS: ("{events}",),
    "two processes, from events": ("{events}", "--workers", "2"),
    "one process, from facts": ("--facts", "{facts}"),
    "two processes, from facts": ("--facts", "{facts}", "--workers", "2"),
}


def _simulated(start: int, hours: int, rate: float, folder: Path) -> int:
    """Write events and history into a folder; return the number of events."""
    simulation = simulate("ssoe_outage", 1, start, hours * HOUR, rate)
    count = 0
    with (folder / "events").open("wb") as file:
        for line in simulation.lines():
            file.write(line + b"\n")
            count += 1
    with (folder / "history").open("wb") as file:
        for record in simulation.history():
            file.write(msgspec.json.encode(record) + b"\n")
    return count


def _printed(folder: Path, now: str, options: Sequence[str]) -> tuple[list[bytes], float]:
    """Run `replay`; return its lines but for the summary, and the seconds that it took."""
    names = {name: str(folder / name) for name in ("events", "facts")}
    command = [sys.executable, "-m", "streams.cli", "replay", "--now", now, "--format", "jsonl"]
    command += ["--history", str(folder / "history"), *(one.format(**names) for one in options)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.splitlines()[:-1], time.perf_counter() - began


def _figures(start: int, hours: int, rate: float, runs: int) -> list[Figure]:
    now = format_instant(start + 2 * DAY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = _simulated(start, hours, rate, folder)
        expected, _ = _printed(folder, now, (*_WAYS[_EVENTS], "--write-facts", "{facts}"))
        if not any(b'"type":"transition"' in line for line in expected):
            raise SystemExit("the replay did not find the outage")
        seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
        for _ in range(runs):
            for way, options in _WAYS.items():
                printed, took = _printed(folder, now, options)
                if printed != expected:
                    raise SystemExit(f"{way}: the verdicts are not those of the events")
                seconds[way].append(took)
        sizes = [(folder / one).stat().st_size for one in ("events", "facts")]
    title = f"replay of {hours} hours, {count:,} events"
    bounds = dict(zip(list(_WAYS)[1:], (0.6, 0.1, 0.1), strict=True))
    return [
        figure(
            "month_" + "_".join(way.replace(",", "").split()[::3]),
            f"{title}: {way}",
            "s",
            seconds[way],
            goal=Goal("at most", bound, "ratio"),
            compared_with=_EVENTS,
            ceilings=seconds[_EVENTS],
            note=f"processes start anew each time; facts take {sizes[1] / sizes[0]:.1%} of the bytes of events",
        )
        for way, bound in bounds.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the ways to judge a month and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.month", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--start", default="2026-11-23T05:00:00Z", help="in RFC 3339")
    parser.add_argument("--hours", type=int, default=24, help="that stand for the month's")
    parser.add_argument("--rate", type=float, default=2.65, help="sign-ins a second at the peak")
    add_options(parser, runs=1)
    options = parser.parse_args(arguments)
    report(_figures(parse_instant(options.start), options.hours, options.rate, options.runs), options.results)


if __name__ == "__main__":
    main()
