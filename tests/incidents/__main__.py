"""``python -m tests.incidents``: simulate a month of incidents with their people, and compare all that is told of them.

Prints each field that differs, the share of equal fields, sentences without a source, and the CPU time of the reports.
Exit status 1 if fewer than 98 % are equal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from streams.reports.rendering.html import html
from streams.reports.rendering.markdown import markdown
from streams.reports.spans import month_of
from streams.settings.policy_file import default_policy
from tests.incidents.compare import compare, unsourced
from tests.incidents.played import played
from tests.incidents.stories import stories

_LEAST = 0.98


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.incidents")
    parser.add_argument("--incidents", type=int, default=300, help="how many incidents")
    parser.add_argument("--seed", type=int, default=1, help="of the stories")
    parser.add_argument("--all", action="store_true", help="print each field that differs, not the first 40")
    asked = parser.parse_args()
    policy = default_policy()
    span = month_of("2026-11", policy.time_zone)
    told = stories(asked.seed, asked.incidents)
    month = played(told, policy, span)
    found = compare(told, month)
    for one in found.differ[: None if asked.all else 40]:
        print(*one, sep="  ")
    if found.differ:
        print(Counter(name for _, name, _, _ in found.differ).most_common(20))
    began = time.process_time()
    episodes = month.episodes()
    reports = month.reports(episodes)
    pages = [len(html(one)) + len(markdown(one)) for one in reports]
    took = time.process_time() - began
    every = [*reports, *(month.postmortem(episodes, name) for name in month.incidents)]
    bare = [words for one in every for words in unsourced(one)]
    print(
        f"{len(told)} incidents, {len(month.lines):,} lines of the log, {found.fields:,} fields compared:"
        f" {found.equal_share:.2%} equal; {len(bare)} sentences without a source; both reports of the month took"
        f" {took:.2f} s of CPU time ({sum(pages):,} characters)"
    )
    return 0 if found.equal_share >= _LEAST and not bare else 1


if __name__ == "__main__":
    sys.exit(main())
