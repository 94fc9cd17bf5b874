"""Which facts does an hour of failing sign-ins by many people give? The input of two benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.policy.policy import Policy
from detectors.scopes import LEAVES, OUTCOMES, STEPS
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket

__all__ = ["START", "seconds_of"]

START = 1_795_435_200_000
_CALLBACK = STEPS.index("callback")
_SUCCESS, _FAILURE = OUTCOMES.index("success"), OUTCOMES.index("failure")
#: Odd, so that multiples of it are spread over all of 64 bits, as hashes are.
_SPREAD = 0x9E3779B97F4A7C15


def seconds_of(
    people: int, seconds: int, policy: Policy, *, methods: int = 1, start: int = START
) -> Iterator[list[FactRow]]:
    """The rows of each second: as many people fail in each, every one of them once in the whole time.

    Args:
        people: distinct people in all these seconds.
        seconds: how many.
        methods: of how many auth methods each person fails on: of 1 half of them on either.
        start: of the first second, ms.
    """
    leaves = list(range(len(LEAVES)))
    for second in range(seconds):
        failing = range(people * second // seconds, people * (second + 1) // seconds)
        who: dict[int, list[int]] = {leaf: [] for leaf in leaves}
        for n in failing:
            for method in range(methods):
                leaf = leaves[(n + method * (len(leaves) // 2)) % len(leaves)]
                who[leaf].append((n + 1) * _SPREAD & 0xFFFFFFFFFFFFFFFF)
        rows = []
        pane = start + second * policy.step
        for leaf in leaves:
            rows.append(_row(pane, leaf, _SUCCESS, "", 50, [], policy=policy))
            if who[leaf]:
                rows.append(
                    _row(pane, leaf, _FAILURE, "007", len(who[leaf]), sorted(who[leaf]), policy=policy)
                )
        yield rows


def _row(
    pane: int, leaf: int, outcome: int, code: str, count: int, people: list[int], *, policy: Policy
) -> FactRow:
    row = FactRow(pane, ON_TIME, leaf, _CALLBACK, outcome, code, count, count, people=people)
    row.over = [0] * len(policy.thresholds)
    row.durations = {bucket(300.0): count}
    return row
