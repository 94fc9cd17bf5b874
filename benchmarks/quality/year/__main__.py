"""Play the healthy year, or a part of it; exit status 1 if it wakes more often than a year may."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.quality.year.calendar import DAYS, stretches
from benchmarks.quality.year.played import Played, play
from detectors.instants import format_instant

__all__ = ["main"]

#: What a healthy year may bring.
_PAGES, _INCIDENTS = 1, 6


def main(arguments: Iterable[str] | None = None) -> int:
    """Play the stretches that the arguments select; print a line for each, and the sum."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.year", description=__doc__)
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first day, from 0 on")
    parser.add_argument("--days", type=int, default=DAYS, help="how many days")
    parser.add_argument("--rate", type=float, default=0.5, help="sign-ins per second at the peak")
    parser.add_argument("--seed", type=int, default=301)
    parser.add_argument("--workers", type=int, help="processes; as many as processors by default")
    options = parser.parse_args(None if arguments is None else list(arguments))
    chosen = stretches(options.seed, options.first, options.days, options.rate)
    runs = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for run in pool.map(play, chosen):
            runs.append(run)
            print(_said(run), flush=True)
    days = sum(run.stretch.days for run in runs)
    pages, incidents = sum(run.pages for run in runs), sum(len(run.incidents) for run in runs)
    print(
        f"{days} days, {sum(run.events for run in runs):,} events: {pages} false pages, {incidents} incidents, "
        f"{sum(run.notices for run in runs)} notices; {sum(run.seconds for run in runs):,.0f} CPU seconds"
    )
    return int(pages > _PAGES or incidents > _INCIDENTS)


def _said(run: Played) -> str:
    scenario = run.stretch.varied().scenario
    lines = [
        f"day {run.stretch.part} ({scenario.starts[:10]}, {run.stretch.days} days): {run.events:,} events, "
        f"{run.pages} pages, {len(run.incidents)} incidents, {run.notices} notices, {run.seconds:.0f} s"
    ]
    for one in run.incidents:
        paged = "paged" if one.pages else "nobody paged"
        lines.append(f"    {format_instant(one.opened_at)} {one.scopes[-1][1]} {paged}: {one.sentence}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
