"""How fast: events per second, on one core, of decoding and of a whole replay (``make bench``).

The events are those of a simulated weekday morning with an outage, the same for the same seed.
"""

from __future__ import annotations

import argparse
import gc
import platform
import time
from collections.abc import Callable, Iterable
from itertools import islice

from detectors.instants import HOUR, parse_instant
from detectors.policy import default_policy
from streams.events import Rejection, decode_many
from streams.judge import objects
from streams.replay import Replay
from streams.simulate.simulation import simulate

START = parse_instant("2026-11-23T14:30:00Z")


def events(count: int) -> list[bytes]:
    """So many lines of an outage of SSOe, at 10 sign-ins a second: 200,000 reach well into it."""
    return list(islice(simulate("ssoe_outage", 1, START, 10 * HOUR, 10.0).lines(), count))


def best(runs: int, measured: Callable[[list[bytes]], int], lines: list[bytes]) -> float:
    """Events per second of the quickest of so many runs; ``measured`` returns how many events it took."""
    rates = []
    for _ in range(runs):
        gc.collect()
        began = time.perf_counter()
        count = measured(lines)
        rates.append(count / (time.perf_counter() - began))
    return max(rates)


def decode(lines: list[bytes]) -> int:
    """Bytes to events."""
    if any(isinstance(one, Rejection) for one in decode_many(lines)):
        raise SystemExit("the simulator made an event that is none")
    return len(lines)


def replay(lines: list[bytes]) -> int:
    """The whole way: acceptance, windows, detectors, incidents."""
    run = Replay([((None, line) for line in lines)], default_policy(), now=START + 10 * HOUR)
    found = objects(run.run())
    if run.summary.accepted < 0.9 * len(lines) or not found:
        raise SystemExit("the replay did not do what it is measured for")
    return len(lines)


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3, help="the best counts")
    options = parser.parse_args(None if arguments is None else list(arguments))
    lines = events(options.events)
    size = sum(map(len, lines)) / len(lines)
    machine = f"CPython {platform.python_version()}, {platform.machine()}"
    print(f"{len(lines):,} events of {size:.0f} bytes, best of {options.runs} runs, {machine}")
    for measured in (decode, replay):
        rate = best(options.runs, measured, lines)
        print(f"{measured.__name__:<8}{rate:>12,.0f} events/s", flush=True)


if __name__ == "__main__":
    main()
