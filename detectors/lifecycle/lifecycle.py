"""The life cycle of the incidents of one environment, step by step.

A function of its memory and its arguments: the same steps give the same transitions, wherever the memory was
stored and read back in between. What people ask for comes first in a step, then the causes, then the clocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from detectors.incidents import Cause, Incident, IncidentInput, Transition
from detectors.lifecycle import actions as wishes
from detectors.lifecycle import transitions as course
from detectors.lifecycle.grouping import Case, match
from detectors.lifecycle.memory import COUNTS_WINDOW, IncidentMemory, View
from detectors.lifecycle.recorder import Chronicle
from detectors.lifecycle.severity import csps_of
from detectors.policy.policy import Policy
from detectors.scopes import overlaps, scope_index

__all__ = ["IncidentMemory", "Lifecycle", "LifecycleMemory", "View"]

#: Ids of inputs that are remembered, so that a repeated record is applied once.
INPUTS_REMEMBERED = 1_000

_GRANTED_BY = {
    "acknowledge": wishes.acknowledge,
    "unacknowledge": wishes.unacknowledge,
    "declare": wishes.declare,
    "resolve": wishes.resolve,
}


class LifecycleMemory(msgspec.Struct):
    """All that is needed to go on after a restart.

    Attributes:
        next_number: of the next incident; numbers are never used again.
        at: the last T, ms.
        incidents: those that are not closed, the oldest first.
        applied: ids of the inputs that were dealt with last.
    """

    next_number: int = 1
    at: int | None = None
    incidents: list[IncidentMemory] = []
    applied: list[str] = []


class Lifecycle:
    """Opens, follows and closes the incidents of an environment.

    Args:
        env: the environment.
        policy: the policy in force.
        memory: of an earlier run, to go on from it.
    """

    def __init__(self, env: str, policy: Policy, memory: LifecycleMemory | None = None) -> None:
        self.env = env
        self.policy = policy
        self.memory = memory if memory is not None else LifecycleMemory()
        self._refused: list[tuple[IncidentInput, str]] = []

    @property
    def active(self) -> bool:
        """Whether a step without causes or inputs could change anything: an incident is not closed yet."""
        return bool(self.memory.incidents)

    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that are not closed, as they stand, the oldest first."""
        return tuple(memory.incident for memory in self.memory.incidents)

    def take_refused(self) -> list[tuple[IncidentInput, str]]:
        """The inputs that did not apply since the last call, each with the reason."""
        refused, self._refused = self._refused, []
        return refused

    def step(
        self, view: View, causes: Sequence[Cause], inputs: Sequence[IncidentInput] = ()
    ) -> list[Transition]:
        """What the step brings.

        Args:
            causes: top-level causes, one for each incident there should be; those that do not fire are
            ignored.
            inputs: what people have asked for since the step before.

        Raises:
            ValueError: T is not after that of the step before.
        """
        memory, at = self.memory, view.at
        if memory.at is not None and at <= memory.at:
            raise ValueError(f"{self.env}: step {at} does not come after {memory.at}")
        chronicle = Chronicle(self.policy, view, at - memory.at if memory.at is not None else 0)
        memory.at = at
        declares = self._apply(inputs, chronicle)
        firing = [cause for cause in causes if cause.state == "firing"]
        cases = match(
            [*firing, *(cause for cause, _ in declares)],
            memory.incidents,
            at,
            self.policy.lifecycle,
        )
        for case in cases:
            if case.action == "begin" and not any(chronicle.is_news(cause) for cause in case.causes):
                case.action = "rest"
        chronicle.csps = csps_of(case.scope for case in cases if case.is_live and case.is_serious)
        for case in cases:
            self._follow(case, chronicle)
        for case in cases:
            self._merge(case, chronicle)
        self._declare(declares, cases, chronicle)
        memory.incidents = sorted(
            (case.memory for case in cases if case.memory and case.memory.incident.state != "closed"),
            key=lambda one: int(one.incident.id.rpartition("-")[2]),
        )
        return chronicle.transitions

    def _follow(self, case: Case, chronicle: Chronicle) -> None:
        if case.action == "begin":
            number = self.memory.next_number
            if case.memory is None:
                self.memory.next_number += 1
            case.memory = course.begin(
                case.memory, f"{self.env}-{number}", case.scope, case.causes, chronicle
            )
        elif case.action == "advance" and case.memory is not None:
            course.advance(case.memory, case.scope, case.causes, chronicle)
        elif case.action == "rest" and case.memory is not None:
            course.after_resolution(case.memory, case.causes, chronicle)
        if case.is_live and case.memory is not None and case.symptoms:
            seen = {*case.memory.incident.causes, *(cause.detector for cause in case.symptoms)}
            case.memory.incident = replace(case.memory.incident, causes=tuple(sorted(seen)))

    def _merge(self, case: Case, chronicle: Chronicle) -> None:
        """Resolve an incident that another one has taken in. Its PagerDuty alerts are resolved with it."""
        if case.memory is None or case.into is None or case.into.memory is None:
            return
        lost, kept = case.memory, case.into.memory
        kept.scopes = sorted({*kept.scopes, *lost.scopes})
        kept.incident = replace(
            kept.incident,
            first_bad_at=min(kept.incident.first_bad_at, lost.incident.first_bad_at),
            narrower=tuple(sorted({*kept.incident.narrower, lost.incident.scope})),
        )
        if lost.incident.declared_at is not None and kept.incident.declared_at is None:
            reason = f"{lost.incident.id}, which is declared, has become part of it."
            course.declare(kept, reason, chronicle, by=lost.incident.declared_by)
        lost.merged = True
        into = f"merged into {kept.incident.id}"
        reason = f"What fails on {lost.incident.scope} is part of {kept.incident.id} ({kept.incident.scope})."
        course.resolve(lost, chronicle, into, reason)

    # -- what people ask for ---------------------------------------------------------------------------------

    def _apply(
        self, inputs: Sequence[IncidentInput], chronicle: Chronicle
    ) -> list[tuple[Cause, IncidentInput]]:
        """Apply each input once; gives back what was declared on a scope, as causes to be matched."""
        declares = []
        for wish in inputs:
            before = len(chronicle.transitions)
            reason: str | None = None
            if wish.id in self.memory.applied:
                reason = "it was dealt with before"
            else:
                self.memory.applied = [*self.memory.applied, wish.id][-INPUTS_REMEMBERED:]
                if wish.env != self.env:
                    reason = f"it is for {wish.env}, this is {self.env}"
                elif wish.kind == "declare" and wish.incident is None:
                    reason = self._refuse_scope(wish.scope)
                    if wish.scope is not None and reason is None:
                        declares.append((_said(wish, wish.scope, chronicle), wish))
                elif wish.kind == "report":
                    reason = self._report(wish, chronicle)
                else:
                    reason = self._address(wish, chronicle)
            if reason is not None:
                self._refused.append((wish, reason))
            _sign(chronicle, before, wish)
        return declares

    def _refuse_scope(self, scope: str | None) -> str | None:
        if scope is None:
            return "it names no scope"
        try:
            scope_index(scope)
        except KeyError:
            return f"there is no scope {scope!r}"
        return None if scope.partition("/")[0] == self.env else f"{scope} is not in {self.env}"

    def _report(self, wish: IncidentInput, chronicle: Chronicle) -> str | None:
        """A person says that sign-in fails: a line on the incident that may be why, if there is one."""
        scope = wish.scope or self.env
        reason = self._refuse_scope(scope)
        if reason is not None:
            return reason
        for memory in self.memory.incidents:
            if memory.is_open and overlaps(memory.incident.scope, scope):
                text = f": {wish.text}" if wish.text else ""
                wishes.note(memory, wish, f"reports that {scope} fails{text}", chronicle)
                return None
        return f"no incident is open on {scope}, and a report alone opens none"

    def _address(self, wish: IncidentInput, chronicle: Chronicle) -> str | None:
        memory = next((m for m in self.memory.incidents if m.incident.id == wish.incident), None)
        if memory is None:
            return f"there is no incident {wish.incident} that is not closed"
        if wish.kind == "note":
            wishes.note(memory, wish, wish.text, chronicle)
            return None
        if not memory.is_open:
            return f"{wish.incident} is resolved"
        return _GRANTED_BY[wish.kind](memory, wish, chronicle)

    def _declare(
        self,
        declares: Sequence[tuple[Cause, IncidentInput]],
        cases: Sequence[Case],
        chronicle: Chronicle,
    ) -> None:
        for cause, wish in declares:
            for case in cases:
                if case.memory is not None and any(cause is one for one in case.causes) and case.into is None:
                    before = len(chronicle.transitions)
                    reason = wishes.declare(case.memory, wish, chronicle)
                    if reason is not None:
                        self._refused.append((wish, reason))
                    _sign(chronicle, before, wish)


def _sign(chronicle: Chronicle, since: int, wish: IncidentInput) -> None:
    """Note with the transitions from number ``since`` on that this input asked for them."""
    signed = [replace(transition, input=wish.id) for transition in chronicle.transitions[since:]]
    chronicle.transitions[since:] = signed


def _said(wish: IncidentInput, scope: str, chronicle: Chronicle) -> Cause:
    """What a person declares, as a cause. It fails since the last few minutes, for all one knows."""
    text = f": {wish.text}" if wish.text else "."
    return Cause(
        detector="declared",
        scope=scope,
        state="firing",
        sentence=f"{wish.by} declared an outage of {scope}{text}",
        first_bad=chronicle.at - COUNTS_WINDOW,
        failing_ratio=chronicle.view.counts(scope).failing_ratio,
    )
