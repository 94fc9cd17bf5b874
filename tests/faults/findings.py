"""What an audit has compared, and what it found: differences, losses, second pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Audit"]

_SHOWN = 12  # differences of a kind that are told in full


@dataclass
class Audit:
    """What was compared, and what differs.

    Attributes:
        differences: what -> each difference in words.
        lost: records unaccounted for, pages and messages that were never sent.
        second_pages: (who was woken twice) for the same incident, epoch and rise.
        compared: what -> how many were compared, so that nothing is equal only because there is nothing.
        repeated: what a receiver was told twice, where it cannot be told so: lines in Slack, Datadog events.
    """

    differences: dict[str, list[str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    second_pages: list[str] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    log: dict[str, int] = field(default_factory=dict)

    def differ(self, what: str, words: str) -> None:
        """Note a difference."""
        self.differences.setdefault(what, []).append(words)

    @property
    def count(self) -> int:
        """How many differences there are."""
        return sum(map(len, self.differences.values()))

    @property
    def clean(self) -> bool:
        """Nothing differs, nothing is lost, nobody was woken twice."""
        return not (self.count or self.lost or self.second_pages)

    def words(self) -> list[str]:
        """All findings, a line each; long lists cut short."""
        lines = []
        for what, some in self.differences.items():
            lines += [f"{what}: {one}" for one in some[:_SHOWN]]
            lines += [f"{what}: and {len(some) - _SHOWN} more"] if len(some) > _SHOWN else []
        lines += [f"lost: {one}" for one in self.lost[:_SHOWN]]
        return lines + [f"second page: {one}" for one in self.second_pages]

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
