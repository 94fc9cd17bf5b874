"""Which facts follow from an hour of failing sign-ins by many people? Two benchmarks use them as input."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.axes import Leaf
from detectors.policy.policy import Policy
from detectors.scopes import LEAVES
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket

__all__ = ["START", "seconds_of"]

START = 1_795_435_200_000
#: An odd number, so that its multiples are spread over all 64 bits, like hashes.
_SPREAD = 0x9E3779B97F4A7C15


def seconds_of(
    people: int, seconds: int, policy: Policy, *, methods: int = 1, clients: int = 0, start: int = START
) -> Iterator[list[FactRow]]:
    """Yield the rows of each second: equally many people fail in each second, and each person fails in one second only.

    Args:
        people: number of distinct people in all seconds together.
        seconds: number of seconds.
        methods: number of auth methods on which each person fails: with 1, half of the people fail on either method.
        clients: number of clients with traffic on each method and provider; with 0 no event names a client.
        start: the first second, ms.
    """
    names: list[str | None] = [f"client{n}" for n in range(clients)] if clients else [None]
    leaves: list[Leaf] = [(*leaf, name) for leaf in LEAVES for name in names]
    for second in range(seconds):
        failing = range(people * second // seconds, people * (second + 1) // seconds)
        who: dict[Leaf, list[int]] = {leaf: [] for leaf in leaves}
        for n in failing:
            for method in range(methods):
                leaf = leaves[(n + method * (len(leaves) // 2)) % len(leaves)]
                who[leaf].append((n + 1) * _SPREAD & 0xFFFFFFFFFFFFFFFF)
        rows = []
        pane = start + second * policy.step
        for leaf in leaves:
            rows.append(_row(pane, leaf, "success", "", 50, [], policy=policy))
            if who[leaf]:
                rows.append(
                    _row(pane, leaf, "failure", "007", len(who[leaf]), sorted(who[leaf]), policy=policy)
                )
        yield rows


def _row(
    pane: int, leaf: Leaf, outcome: str, code: str, count: int, people: list[int], *, policy: Policy
) -> FactRow:
    row = FactRow(pane, ON_TIME, leaf, "callback", outcome, code, "", count, count, people=people)
    row.over = [0] * len(policy.thresholds)
    row.durations = {bucket(300.0): count}
    return row
