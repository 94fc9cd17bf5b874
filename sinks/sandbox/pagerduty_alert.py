"""What does PagerDuty keep of an alert, and of the incident that holds it?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Alert"]

_HIGH_URGENCY = ("critical", "error")


@dataclass
class Alert:
    """One incident in PagerDuty, with its only alert.

    Attributes:
        merged_into: the incident that holds the alert since a merge; the alert's own is resolved then.
        changed_at: when the status of the incident changed, ms.
        changed_by: who changed it, as PagerDuty names agents.
        notes: what people and programs have written.
        priority: PagerDuty's id of it.
    """

    number: int
    routing_key: str
    dedup_key: str
    severity: str
    summary: str
    created_at: int
    status: Literal["triggered", "acknowledged", "resolved"] = "triggered"
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    resolved_at: int | None = None
    triggers: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)
    merged_into: Alert | None = None
    changed_at: int = 0
    changed_by: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    priority: str | None = None

    @property
    def id(self) -> str:
        return f"Q{self.number:06d}"

    @property
    def urgency(self) -> str:
        return "high" if self.severity in _HIGH_URGENCY else "low"

    @property
    def is_open(self) -> bool:
        """Whether a trigger at its key wakes nobody: a merge resolves the incident and leaves the alert open."""
        if self.merged_into is not None:
            return self.merged_into.is_open and self.resolved_at is None
        return self.status != "resolved"
