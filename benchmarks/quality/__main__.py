"""How good is detection? ``python -m benchmarks.quality`` runs cases, prints figures and faults, writes the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.quality.cases import (
    COMPARED,
    REPORTED_SEEDS,
    SITUATIONS,
    TUNING_SEEDS,
    Case,
    days,
    drawn,
    drawn_situations,
    library,
)
from benchmarks.quality.findings import findings
from benchmarks.quality.report import write_report
from benchmarks.quality.runs import Run, play_all
from detectors.backtest.totals import totals
from streams.settings.policy_file import default_policy, load_policy
from streams.simulate.scenarios import SCENARIOS

_CACHE = Path(".data/quality")


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the cases that the arguments select, print figures and faults, and write the report."""
    options = _options(arguments)
    cases = _cases(options)
    done = 0

    def said(run: Run) -> None:
        nonlocal done
        done += 1
        faults = sorted({what for what, _ in findings([run])})
        speed = f"{run.events:,} events, {run.seconds:.0f} s"
        print(f"[{done}/{len(cases)}] {run.case.name} ({speed}): {', '.join(faults) or 'well'}", flush=True)

    policy = load_policy(options.policy) if options.policy else default_policy()
    runs = play_all(cases, options.policy, None if options.no_cache else _CACHE, options.workers, said)
    figures = totals(run.score for run in runs)
    print()
    for name, value in figures.as_json().items():
        if name not in ("type", "scope", "severity", "cause"):
            print(f"{name:<20}{value}")
    if options.report:
        write_report(runs, options.report, policy.hash)
    told: dict[str, list[str]] = {}
    for what, how in findings(runs):
        told.setdefault(what, []).append(how)
    for what, ways in told.items():
        print(f"\n## {what} ({len(ways)})\n")
        print("\n".join(f"* {how}" for how in ways))


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds of the library")
    parser.add_argument("--drawn", type=int, default=20, help="how many drawn situations")
    parser.add_argument("--days", type=int, default=0, help="how many healthy days")
    parser.add_argument(
        "--situations", type=int, default=0, help="how many seeds of the situations that are hard to judge"
    )
    parser.add_argument("--drawn-situations", type=int, default=0, help="how many of these that are drawn")
    parser.add_argument("--only", nargs="*", default=None, help="these scenarios of the library")
    parser.add_argument("--reported", action="store_true", help="play the seeds that are reported")
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write quality.md and what belongs to it"
    )
    parser.add_argument("--policy", type=Path, help="instead of the policy that ships")
    parser.add_argument("--workers", type=int, help="processes; as many as processors by default")
    parser.add_argument("--no-cache", action="store_true", help=f"keep no simulated events in {_CACHE}")
    return parser.parse_args(None if arguments is None else list(arguments))


def _cases(options: argparse.Namespace) -> list[Case]:
    seeds = REPORTED_SEEDS if options.reported else TUNING_SEEDS
    unknown = set(options.only or ()) - set(SCENARIOS)
    if unknown:
        sys.exit(f"no such scenarios: {', '.join(sorted(unknown))}")
    kinds = COMPARED if options.only is None else options.only
    return [
        *library(seeds[: options.seeds], kinds),
        *library(seeds[: options.situations], SITUATIONS),
        *drawn(seeds[: options.drawn]),
        *drawn_situations(seeds[: options.drawn_situations]),
        *(days(seeds[0], options.days) if options.days else ()),
    ]


if __name__ == "__main__":
    main()
