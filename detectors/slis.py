"""The SLIs of one scope and window at one T: what the topic ``sli`` and ``replay --sli-every`` say."""

from __future__ import annotations

import msgspec

from detectors.instants import format_duration, format_instant

__all__ = ["SliValue"]


class SliValue(msgspec.Struct, frozen=True):
    """Counts of the steps of ``sign_in``; ``users_impacted`` of all steps. ``at`` and ``window`` in ms.

    ``users_impacted_error``: how far the truth may lie from ``users_impacted``, as a share of ``users_impacted``; 0
    where people were counted exactly.
    """

    at: int
    scope: str
    window: int
    good: int
    bad: int
    excluded: int
    started: int
    slow: int
    timed: int
    users_impacted: int
    users_impacted_error: float = 0.0

    @property
    def success_ratio(self) -> float | None:
        """``good / (good + bad)``; None when nothing completed."""
        completed = self.good + self.bad
        return self.good / completed if completed else None

    @property
    def latency_ratio(self) -> float | None:
        """Not slow / completed with a duration; None when there was none."""
        return (self.timed - self.slow) / self.timed if self.timed else None

    def as_json(self) -> dict[str, object]:
        """The object as it is written, with the instant in RFC 3339."""
        error = self.users_impacted_error
        return {
            "type": "sli",
            "at": format_instant(self.at),
            "scope": self.scope,
            "window": format_duration(self.window),
            "good": self.good,
            "bad": self.bad,
            "excluded": self.excluded,
            "started": self.started,
            "slow": self.slow,
            "success_ratio": self.success_ratio,
            "latency_ratio": self.latency_ratio,
            "users_impacted": self.users_impacted,
            **({"users_impacted_error": error} if error else {}),
        }
