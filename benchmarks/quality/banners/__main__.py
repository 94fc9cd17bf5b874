"""Is the banner right for each person? ``python -m benchmarks.quality.banners`` plays the simulator's scenarios.

A banner is due of an outage, silence or loss of returns in production of severity 1 or 2 that must page, of which at
least twice ``banner.min_failing_ratio`` of the sign-ins fail and whose scope has a banner. The goals: people under a
banner of which no key fails, at most 2 % of the person-seconds of outage; not shown yet, median 30 s; still shown after
the true end, at most 6 min each. The time until a front end asks again comes on top.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from statistics import median

from benchmarks.quality.banners.measure import TAIL, Figures
from benchmarks.quality.banners.played import figures
from benchmarks.quality.cases import REPORTED_SEEDS, TUNING_SEEDS, library
from detectors.instants import MINUTE, SECOND
from streams.simulate.scenarios import SCENARIOS

__all__ = ["GOAL_LATE", "GOAL_WRONG", "main"]

#: The greatest share of wrong person-seconds, and the greatest median delay, ms.
GOAL_WRONG, GOAL_LATE = 0.02, 30 * SECOND


def main(arguments: Iterable[str] | None = None) -> None:
    """Print each scenario that has a figure, and the figures over all; exit 1 if one misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.banners", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds of the library")
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), help="these scenarios of the library")
    parser.add_argument("--reported", action="store_true", help="play the seeds that are reported")
    parser.add_argument("--workers", type=int, help="processes; as many as processors by default")
    options = parser.parse_args(None if arguments is None else list(arguments))
    seeds = REPORTED_SEEDS if options.reported else TUNING_SEEDS
    total = Figures()
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        played = {pool.submit(figures, case): case for case in library(seeds[: options.seeds], options.only)}
        for done in as_completed(played):
            total.add(done.result())
            _tell(played[done].name, done.result())
    sys.exit(_report(total))


def _tell(name: str, of: Figures) -> None:
    if not (of.outages or of.wrong):
        return
    delays = ", ".join(
        f"{one.due.scope} {'never' if one.late is None else f'{one.late / SECOND:.0f} s'}"
        f" / {one.longer / MINUTE:.1f} min"
        for one in of.outages
    )
    print(f"{name:<32}{of.wrong:>8.0f} of {of.failed:>8.0f} person-seconds wrong; {delays}", flush=True)


def _report(of: Figures) -> int:
    """Print the figures over all runs; 1 if one misses its goal, else 0."""
    if not of.outages:
        print("no outage is due a banner")
        return 0
    wrong = of.wrong / of.failed if of.failed else float(of.wrong > 0)
    shown = [one.late for one in of.outages if one.late is not None]
    late = median([*shown, *[float("inf")] * (len(of.outages) - len(shown))])
    too_long = sum(one.longer > TAIL for one in of.outages)
    print(
        f"outages                 {len(of.outages)}, of which {len(of.outages) - len(shown)} without a banner"
    )
    print(f"wrong, of outage        {wrong:.4f}; the goal is {GOAL_WRONG}")
    print(f"not shown yet, median   {late / SECOND:.0f} s; the goal is {GOAL_LATE / SECOND:.0f} s")
    print(
        f"still shown, the longest {max(one.longer for one in of.outages) / MINUTE:.1f} min, "
        f"{too_long} above the goal of {TAIL / MINUTE:.0f} min"
    )
    return int(wrong > GOAL_WRONG or late > GOAL_LATE or too_long > 0)


if __name__ == "__main__":
    main()
