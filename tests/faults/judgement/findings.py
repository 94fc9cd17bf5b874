"""What has an audit compared, and what did it find: differences, losses, second pages?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.judgement.witness import Stalls

__all__ = ["Audit"]

_SHOWN = 12  # differences of a kind that are listed in full


@dataclass
class Audit:
    """The comparisons of a run, and the differences.

    Attributes:
        differences: kind of record -> each difference in words.
        lost: records that are not accounted for, and pages and messages that were never sent.
        second_pages: pages that woke a person twice for one incident, epoch and rise.
        stalls: when the watch stood still, and whether that was said.
        compared: kind of record -> the number compared, so that nothing is equal merely for lack of records.
        repeated: messages that a receiver got twice and cannot recognise as repeated: lines in Slack, Datadog events.
    """

    differences: dict[str, list[str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    second_pages: list[str] = field(default_factory=list)
    stalls: Stalls = field(default_factory=Stalls)
    compared: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    log: dict[str, int] = field(default_factory=dict)

    def differ(self, what: str, words: str) -> None:
        """Note a difference."""
        self.differences.setdefault(what, []).append(words)

    @property
    def count(self) -> int:
        """The number of differences."""
        return sum(map(len, self.differences.values()))

    @property
    def clean(self) -> bool:
        """Whether nothing differs or is lost, nobody was woken twice, and what was said of the watch is true."""
        said = self.stalls.unsaid or self.stalls.untrue
        return not (self.count or self.lost or self.second_pages or said)

    def words(self) -> list[str]:
        """Return all findings, one line each; long lists are cut."""
        lines = []
        for what, some in self.differences.items():
            lines += [f"{what}: {one}" for one in some[:_SHOWN]]
            lines += [f"{what}: and {len(some) - _SHOWN} more"] if len(some) > _SHOWN else []
        lines += [f"lost: {one}" for one in self.lost[:_SHOWN]]
        lines += [f"second page: {one}" for one in self.second_pages]
        lines += [f"unsaid: {one}" for one in self.stalls.unsaid]
        return lines + [f"untrue: {one}" for one in self.stalls.untrue]

    def equal(self, what: str, live: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
        """Compare two mappings, key by key."""
        self.compared[what] += len(expected)
        for key in sorted(set(live) | set(expected), key=str):
            if key not in live:
                self.differ(what, f"{key} is missing; expected {expected[key]}")
            elif key not in expected:
                self.differ(what, f"{key} should not be there: {live[key]}")
            elif live[key] != expected[key]:
                self.differ(what, f"{key} is {live[key]}, expected {expected[key]}")
