"""How is a change of an incident recorded as a transition, with the page that it makes?

``IncidentMemory`` holds everything that the next step needs to know of an incident; all else is an argument.
``Recorder.record`` alone creates transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from detectors.incidents import Cause, Incident, Note, Told, Transition, TransitionKind
from detectors.lifecycle.absence.gone import Gone
from detectors.lifecycle.bounded import bounded
from detectors.lifecycle.memory import FOUND_IN_FAILURES, IncidentMemory, View
from detectors.lifecycle.response_times import calendar
from detectors.notification.paging import page_of, with_page
from detectors.notification.plan import makes_thread_message
from detectors.notification.routes import asks_for_hours, tell, with_told
from detectors.policy.policy import Policy

__all__ = ["Recorder"]


class Recorder:
    """Collects the transitions of one step, and holds what all of them need.

    Args:
        elapsed: ms since the previous step, for timers that run only while a condition holds.
        csps: how many credential providers are down by now (``severity.csps_of``).
        gone: the scopes in which nothing is expected to arrive.
        firing: the causes that fire in this step.
        standing: (id, scope) of the incidents that may wake somebody and are not closed, the oldest first.
        only_silence: whether nothing but silences would wake anybody in the environment.
    """

    def __init__(self, policy: Policy, view: View, elapsed: int) -> None:
        self.policy = policy
        self.view = view
        self.at = view.at
        self.elapsed = elapsed
        self.csps = 0
        self.gone: list[Gone] = []
        self.firing: list[Cause] = []
        self.only_silence = False
        self.standing: list[tuple[str, str]] = []
        self.transitions: list[Transition] = []

    def is_news(self, cause: Cause) -> bool:
        """Whether a cause rests on recent events, so that it may open an incident or hold one open."""
        counts = cause.numbers.get("counts")
        if counts == "all" or (cause.detector not in FOUND_IN_FAILURES and counts != "bad"):
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
        tells: Sequence[Note] = (),
        **changes: Any,
    ) -> None:
        """Change the incident, make the page that goes with it, and note the transition.

        Args:
            before: the incident before the change; None where it opens.
            tells: the notes that receivers are told with the change.
            changes: fields of the incident.
        """
        at, policy = self.at, self.policy
        after = bounded(replace(memory.incident, updated_at=at, **changes))
        page = page_of(kind, before.severity if before else None, after, policy)
        if page is not None:
            pages = with_page(after.pages, page)
            after = replace(after, pages=pages, said_resolved_at=None, said_resolved_by=None)
            memory.woken_again = after.acknowledged_at is not None
        quietly = False
        if kind == "scope":
            notified_at = memory.scope_notified_at
            quietly = notified_at is not None and at - notified_at < policy.lifecycle.scope_change_every
            if not quietly:
                memory.scope_notified, memory.scope_notified_at = after.scope, at
        told = self._told(kind, before, after, quietly=quietly or (kind == "note" and not tells))
        after = with_told(after, told)
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
            told=told,
            quietly=quietly,
            notes=tuple(tells),
            nth=sum(t.kind == kind and t.incident.id == after.id for t in self.transitions),
        )
        if makes_thread_message(transition) and not tells:  # a note does not say how it stands
            memory.spoke_at = at
        self.transitions.append(transition)

    def _told(
        self, kind: TransitionKind, before: Incident | None, after: Incident, *, quietly: bool
    ) -> tuple[Told, ...]:
        """The receivers of the policy's routes that hear of a change."""
        return tell(
            kind,
            after,
            self.policy,
            worse=before is not None and after.severity < before.severity,
            quietly=quietly,
            business=asks_for_hours(self.policy) and calendar(self.policy).is_open(self.at),
        )

    def change(self, memory: IncidentMemory, kind: TransitionKind, reason: str, **rest: Any) -> None:
        """``record`` for an incident that exists already."""
        self.record(memory, kind, reason, before=memory.incident, **rest)
