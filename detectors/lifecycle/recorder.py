"""What a step of the incident life cycle is given, what it remembers, and how it writes down a change.

Everything that the next step needs to know of an incident stands in ``IncidentMemory``; all else comes in as
an argument. ``Recorder.record`` alone makes transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from detectors.incidents import Cause, Incident, Transition, TransitionKind
from detectors.lifecycle.memory import FOUND_IN_FAILURES, IncidentMemory, View
from detectors.notification.paging import page_of, with_page
from detectors.notification.plan import makes_thread_message
from detectors.policy.policy import Policy

__all__ = ["Recorder"]


class Recorder:
    """The transitions of one step, and what all of them need.

    Args:
        elapsed: ms since the step before, for clocks that run only while a condition holds.
        csps: how many credential providers are down by now (``severity.csps_of``).
    """

    def __init__(self, policy: Policy, view: View, elapsed: int) -> None:
        self.policy = policy
        self.view = view
        self.at = view.at
        self.elapsed = elapsed
        self.csps = 0
        self.transitions: list[Transition] = []

    def is_news(self, cause: Cause) -> bool:
        """Whether something happens now that an incident may be opened for, or held open by."""
        if cause.detector not in FOUND_IN_FAILURES and cause.numbers.get("counts") != "bad":
            return True
        return self.view.first_bad(cause.scope, self.at - self.policy.lifecycle.news) is not None

    def record(
        self,
        memory: IncidentMemory,
        kind: TransitionKind,
        reason: str,
        *,
        before: Incident | None,
        by: str | None = None,
        via: str | None = None,
        causes: Sequence[Cause] = (),
        **changes: Any,
    ) -> None:
        """Change the incident, make the page that goes with it, and note the transition.

        Args:
            before: the incident as it stood; None where it opens.
            changes: fields of the incident.
        """
        at, policy = self.at, self.policy
        after = replace(memory.incident, updated_at=at, **changes)
        page = page_of(kind, before.severity if before else None, after, policy)
        if page is not None:
            after = replace(after, pages=with_page(after.pages, page))
            memory.woken_again = after.acknowledged_at is not None
        quietly = False
        if kind == "scope":
            notified_at = memory.scope_notified_at
            quietly = notified_at is not None and at - notified_at < policy.lifecycle.scope_change_every
            if not quietly:
                memory.scope_notified, memory.scope_notified_at = after.scope, at
        memory.incident = after
        transition = Transition(
            kind=kind,
            at=at,
            incident=after,
            from_state=before.state if before else None,
            from_severity=before.severity if before else None,
            from_scope=before.scope if before else None,
            reason=reason,
            by=by,
            via=via,
            causes=tuple(causes),
            page=page,
            quietly=quietly,
            nth=sum(t.kind == kind and t.incident.id == after.id for t in self.transitions),
        )
        if makes_thread_message(transition):
            memory.spoke_at = at
        self.transitions.append(transition)

    def change(self, memory: IncidentMemory, kind: TransitionKind, reason: str, **rest: Any) -> None:
        """``record`` for an incident that is there already."""
        self.record(memory, kind, reason, before=memory.incident, **rest)
