"""Judge drawn moves, one line each, and sum up; exit status 1 if anything pages, is rejected or is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

import numpy as np

from benchmarks.quality.migrations.migration import draw
from benchmarks.quality.migrations.watched import SIGNED_IN, Watched, watch
from detectors.instants import SECOND


def main(arguments: Iterable[str] | None = None) -> int:
    """Judge the moves of the seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.migrations", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many moves")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    options = parser.parse_args(None if arguments is None else list(arguments))
    runs = []
    for seed in range(options.first, options.first + options.seeds):
        run = watch(draw(seed))
        runs.append(run)
        print(f"[{seed}] {run.migration.told}: {_said(run)}", flush=True)
    faulty = [run for run in runs if run.faults()]
    delays = [run.paged_after / SECOND for run in runs if run.paged_after is not None]
    spread = f"p50 {np.percentile(delays, 50):.0f} s, greatest {max(delays):.0f} s" if delays else "never"
    print(
        f"{len(runs)} moves, {sum(run.events for run in runs):,} events: "
        f"{sum(run.rejected for run in runs)} rejected, {sum(len(run.pages) for run in runs)} pages, "
        f"{sum(len(run.opened) for run in runs)} incidents, {sum(run.notices for run in runs)} notices; "
        f"outages of the newcomer paged: {len(delays)} ({spread}); moves with a fault: {len(faulty)}; "
        f"{sum(run.seconds for run in runs):.0f} CPU seconds"
    )
    return bool(faulty)


def _said(run: Watched) -> str:
    paged = "never" if run.paged_after is None else f"{run.paged_after / SECOND:.0f} s on {run.paged_scope}"
    few = f" FEW ({run.signed_in})" if run.signed_in < SIGNED_IN else ""
    opened = "".join(f"\n    opened {one}" for one in run.opened)
    faults = "".join(f"\n    FAULT {fault}" for fault in run.faults())
    return f"{run.notices} notices, outage {paged}{few}, {run.events:,} events, {run.seconds:.0f} s{opened}{faults}"


if __name__ == "__main__":
    sys.exit(main())
