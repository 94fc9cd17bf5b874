"""`python -m tests.fuzz`: do the edges hold, whatever bytes come? A seed gives the same mutants everywhere."""

from __future__ import annotations

import argparse
import sys

import structlog

from tests.fuzz.run import TARGETS, run_all

_CRITICAL = 50


def main() -> int:
    """Give mutants to the edges; 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="mutants in all (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no further mutants after so long"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: %(default)s)")
    parser.add_argument("--only", default="", help="the edges whose names hold this text alone")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_CRITICAL))
    chosen = [target for target in TARGETS if given.only in target.name]
    return 1 if run_all(chosen, given.cases, given.seed, minutes=given.minutes) else 0


if __name__ == "__main__":
    sys.exit(main())
