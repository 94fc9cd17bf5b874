"""How do days of faults end? ``python -m tests.sinks.campaign --days 5`` plays days of 24 hours in virtual time."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sinks.campaign.judge import judged
from tests.sinks.campaign.world import Day, Plan

_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Play days; the status is 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1, help="how many days (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--rest", action="store_true", help="with a token of PagerDuty's REST API")
    given = parser.parse_args(arguments)
    wrong = 0
    for seed in range(given.first, given.first + given.days):
        began = time.monotonic()
        day = Day(Plan(seed, rest=given.rest))
        day.run()
        verdict = judged(day)
        mistreated = sum(times for mood, times in day.receivers.answers.items() if mood != "well")
        print(
            f"day {seed}: {verdict.commands} commands, {len(day.receivers.came)} requests, {mistreated} of them"
            f" mistreated, {day.restarts} kills, {day.merges} merges, {verdict.notes} notes in PagerDuty,"
            f" {verdict.pages} pages, {verdict.repeated} repeated that only"
            f" REST could tell, {verdict.grepped} texts grepped for keys,"
            f" worst delay of another's page {verdict.worst:.1f} s, {len(verdict.wrong)} wrong,"
            f" {time.monotonic() - began:.0f} s",
            flush=True,
        )
        print(*(f"  {said[:300]}" for said in verdict.wrong[:_SHOWN]), sep="\n", end="", flush=True)
        wrong += len(verdict.wrong) + (verdict.worst > 5)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
