"""How is a change of an incident recorded as a transition, with the page that it makes?

``IncidentMemory`` holds everything that the next step needs to know of an incident; all else is an argument.
``Recorder.record`` alone creates transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from detectors.axes import contains
from detectors.incidents import Cause, Incident, Note, Page, Told, Transition, TransitionKind
from detectors.lifecycle.absence.gone import Gone
from detectors.lifecycle.bounded import bounded
from detectors.lifecycle.conduct.covering import Covers, hidden_by
from detectors.lifecycle.conduct.progress import progressed, works_instead
from detectors.lifecycle.memory import FOUND_IN_FAILURES, IncidentMemory, View
from detectors.lifecycle.response_times import answer_due, calendar
from detectors.notification.paging import page_of, with_page
from detectors.notification.plan import makes_thread_message
from detectors.notification.routes import asks_for_hours, tell, with_told
from detectors.policy.policy import Policy
from detectors.process.actions import SPOKEN

__all__ = ["Recorder"]


#: Changes with which people are told what works instead.
_LOOKS_BESIDE: frozenset[TransitionKind] = frozenset({"opened", "reopened", "scope", "update"})


class Recorder:
    """Collects the transitions of one step, and holds what all of them need.

    Args:
        elapsed: ms since the previous step, for timers that run only while a condition holds.
        csps: how many credential providers are down by now (``severity.csps_of``).
        gone: the scopes in which nothing is expected to arrive.
        firing: the causes that fire in this step.
        covers: the mutes and maintenances of the environment.
        standing: (id, scope) of the incidents that may wake somebody and are not closed, the oldest first.
        only_silence: whether nothing but silences would wake anybody in the environment.
    """

    def __init__(self, policy: Policy, view: View, elapsed: int, covers: Covers | None = None) -> None:
        self.policy = policy
        self.view = view
        self.at = view.at
        self.elapsed = elapsed
        self.csps = 0
        self.gone: list[Gone] = []
        self.firing: list[Cause] = []
        self.only_silence = False
        self.covers = covers or Covers()
        self.standing: list[tuple[str, str]] = []
        self.transitions: list[Transition] = []

    def mute_of(self, scope: str) -> tuple[int, int] | None:
        """The span (ms) of the mutes that hold a scope in this step."""
        return hidden_by(self.covers, scope, self.at, self.policy)[1]

    def is_maintained(self, scope: str) -> bool:
        """Whether maintenance of the policy, or announced at run time, holds a scope in this step."""
        windows = (one for one in self.policy.maintenance if one.start <= self.at < one.end)
        announced = any(contains(one.scope, scope) for one in windows)
        return announced or hidden_by(self.covers, scope, self.at, self.policy)[0]

    def is_news(self, cause: Cause) -> bool:
        """Whether a cause rests on recent events, so that it may open an incident or hold one open."""
        counts = cause.numbers.get("counts")
        if counts in ("all", "probes") or (cause.detector not in FOUND_IN_FAILURES and counts != "bad"):
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
        happened_at: int | None = None,
        **changes: Any,
    ) -> None:
        """Change the incident, make the page that goes with it, and note the transition.

        Args:
            before: the incident before the change; None where it opens.
            tells: the notes that receivers are told with the change.
            happened_at: when what a note tells happened, ms; None: not said.
            changes: fields of the incident.
        """
        at, policy = self.at, self.policy
        after = replace(memory.incident, updated_at=at, **changes)
        process = progressed(kind, after, policy, by)
        if kind in _LOOKS_BESIDE:
            process = replace(process, works=works_instead(after, self.view.counts, policy))
        after = bounded(replace(after, process=process))
        after, page = self._paged(memory, kind, before, after)
        quietly = False
        if kind == "scope":
            notified_at = memory.scope_notified_at
            quietly = notified_at is not None and at - notified_at < policy.lifecycle.scope_change_every
            if not quietly:
                memory.scope_notified, memory.scope_notified_at = after.scope, at
        told = self._told(kind, before, after, quietly=quietly or (kind in SPOKEN and not tells))
        after = with_told(after, told)
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
            happened_at=happened_at,
            muted_since=before.muted_since if before else None,
            nth=sum(t.kind == kind and t.incident.id == after.id for t in self.transitions),
        )
        if makes_thread_message(transition) and not tells:  # a note does not say how it stands
            memory.spoke_at = at
        memory.incident = self._with_due(after, memory.spoke_at)
        self.transitions.append(replace(transition, incident=memory.incident))

    def _paged(
        self, memory: IncidentMemory, kind: TransitionKind, before: Incident | None, after: Incident
    ) -> tuple[Incident, Page | None]:
        """The incident with the page that a change makes, if any, and that page."""
        severity = before.severity if before else None
        page = page_of(kind, severity, after, self.policy, rose=memory.rose_hidden)
        if page is None:
            return after, None
        memory.woken_again = after.acknowledged_at is not None
        pages = with_page(after.pages, page)
        return replace(after, pages=pages, said_resolved_at=None, said_resolved_by=None), page

    def _with_due(self, incident: Incident, spoke_at: int) -> Incident:
        """The incident with the instants at which an answer and the next update are due, while it is not over."""
        process = incident.process
        if incident.state in ("resolved", "closed"):
            answer_by, next_update_at = None, process.next_update_at
        else:
            answer_by = answer_due(incident, self.at, self.policy)
            next_update_at = spoke_at + self.policy.lifecycle.update_every
        return replace(incident, process=replace(process, answer_by=answer_by, next_update_at=next_update_at))

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
