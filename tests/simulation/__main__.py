"""`python -m tests.simulation`: are the verdicts right, whatever goes wrong? One seed is one run."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

import structlog

from tests.simulation.plan import Plan
from tests.simulation.reduce import as_test, checked, reduced

__all__ = ["main"]

_CRITICAL = 50
_SHOWN = 5  # things that are wrong


def main(arguments: list[str] | None = None) -> int:
    """Run seeds, one line each; 1 if one of them is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many runs (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run after so long")
    parser.add_argument(
        "--keep-going", action="store_true", help="go on after a run that is wrong, without reducing it"
    )
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_CRITICAL))
    began, ran, wrong = time.monotonic(), 0, 0
    happened: Counter[str] = Counter()
    for seed in range(given.first, given.first + given.seeds):
        if time.monotonic() - began > given.seconds:
            break
        plan = Plan.drawn(seed)
        run = checked(plan)
        ran += 1
        happened.update(run.happened)
        commands = len({command.id for command in run.commands()})
        print(
            f"seed {seed}: {run.digest.hex()} {len(plan.faults)} faults, {commands} commands, "
            f"{'WRONG' if run.wrong else 'right'}",
            flush=True,
        )
        if run.wrong:
            wrong += 1
            print(*(f"  {said[:500]}" for said in run.wrong[:_SHOWN]), sep="\n", flush=True)
            if not given.keep_going:
                print(
                    "\nReduced to the fewest faults that are still wrong:\n", as_test(reduced(plan)), sep="\n"
                )
                break
    took = time.monotonic() - began
    for what, times in sorted(happened.items()):
        print(f"  {what}: {times}")
    print(f"{ran} seeds in {took:.0f} s ({took / max(ran, 1):.2f} s each), {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
