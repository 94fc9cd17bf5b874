"""How do the incidents of one environment open, change and close, step by step?

A step is a function of memory and arguments: the same steps give the same transitions, even if the memory was
stored and read back in between. A step handles incident inputs first, then causes, then timers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from detectors.axes import contains
from detectors.bounds import plain_line, plain_text
from detectors.incidents import Cause, Incident, IncidentInput, Transition
from detectors.lifecycle import opening, transitions
from detectors.lifecycle.absence.gone import Gone, retired_by, still_gone, unexpected, with_gone
from detectors.lifecycle.bounded import bounded
from detectors.lifecycle.conduct import acts, past
from detectors.lifecycle.conduct.covering import Covers, cover, follow
from detectors.lifecycle.conduct.deploying import deployed
from detectors.lifecycle.grouping import IncidentGroup, group_causes
from detectors.lifecycle.memory import IncidentMemory, View
from detectors.lifecycle.people import actions, notes, resolving
from detectors.lifecycle.people.alerts import apply_news
from detectors.lifecycle.people.reports import declared_cause, join_report, reported_cause, settle_report
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import csps_of
from detectors.notices.notices import Notice
from detectors.policy.policy import Policy
from detectors.process.actions import BY_KIND
from detectors.process.covers import occurrence
from detectors.process.vocabulary import InputKind
from detectors.urgency import WAKES_NOBODY, is_serious, is_silence

__all__ = ["INPUTS_REMEMBERED", "IncidentMemory", "Lifecycle", "LifecycleMemory", "View"]

#: Ids of inputs that are remembered, so that a repeated record is applied once.
INPUTS_REMEMBERED = 1_000
#: Ids of inputs that are longer are remembered by a digest; a UUID is remembered as it is.
_ID_LENGTH = 36

_ACTIONS: dict[InputKind, past.Act] = {
    "note": notes.put_note,
    "acknowledge": actions.acknowledge,
    "unacknowledge": actions.unacknowledge,
    "declare": actions.declare,
    "resolve": resolving.resolve,
    "update": acts.update,
    "assign": acts.assign,
    "stage": acts.stage,
    "eta": acts.eta,
    "follow_up": acts.follow_up,
    "check": acts.check,
    "post_mortem": acts.post_mortem,
    "complete": acts.complete,
}


_COVERING = frozenset({"mute", "maintain", "correct", "unmute", "deploy"})
#: Acts that add to what an incident carries of its process.
_GROWS = frozenset({"assign", "check", "follow_up", "update"})


class LifecycleMemory(msgspec.Struct):
    """The state that the life cycle needs to continue after a restart.

    Attributes:
        next_number: the number of the next incident; a number is never used twice.
        at: the last T, ms.
        incidents: the incidents that are not closed, the oldest first.
        applied: ids of the inputs that were handled last; of a long id its digest.
        gone: the scopes in which nothing is expected to arrive.
        covers: mutes and maintenance at run time, and corrections of the SLA account.
        past: the incidents that closed last and whose process is not completed, as ``conduct.past`` keeps them.
    """

    next_number: int = 1
    at: int | None = None
    incidents: list[IncidentMemory] = []
    applied: list[str] = []
    gone: list[Gone] = []
    past: list[Incident] = []
    covers: Covers = msgspec.field(default_factory=Covers)


class Lifecycle:
    """Opens, follows and closes the incidents of an environment.

    Args:
        env: the environment.
        policy: the policy in force.
        memory: the memory of an earlier run, to continue from.
    """

    def __init__(self, env: str, policy: Policy, memory: LifecycleMemory | None = None) -> None:
        self.env = env
        self.policy = policy
        self.memory = memory if memory is not None else LifecycleMemory()
        for one in self.memory.incidents:  # an earlier version may have written longer texts
            one.incident = bounded(one.incident)
        self._refused: list[tuple[IncidentInput, str]] = []
        self._unseen: list[IncidentInput] = []
        self._notices: list[Notice] = []

    @property
    def active(self) -> bool:
        """Whether a step without causes or inputs could change anything.

        It could while an incident is not closed, while a scope is gone that may come back, and while a mute or
        maintenance is to begin or to end.
        """
        return bool(self.memory.incidents or self.memory.gone or self.memory.covers.standing)

    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that are not closed, as they stand, the oldest first."""
        return tuple(memory.incident for memory in self.memory.incidents)

    def maintained(self, at: int) -> list[str]:
        """The scopes that maintenance which was announced at run time holds at T (ms)."""
        zone, standing = self.policy.time_zone, self.memory.covers.standing
        return [
            one.scope
            for one in standing
            if one.kind == "maintenance" and occurrence(one, at, zone) is not None
        ]

    def take_refused(self) -> list[tuple[IncidentInput, str]]:
        """The inputs that did not apply since the last call, each with the reason."""
        refused, self._refused = self._refused, []
        return refused

    def take_unseen(self) -> list[IncidentInput]:
        """The inputs that applied since the last call and that no transition shows."""
        unseen, self._unseen = self._unseen, []
        return unseen

    def take_notices(self) -> list[Notice]:
        """The mutes, maintenances and corrections that were set, began or ended since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def step(
        self, view: View, causes: Sequence[Cause], inputs: Sequence[IncidentInput] = ()
    ) -> list[Transition]:
        """Handle one step, and return its transitions.

        Args:
            causes: top-level causes, one for each incident that there should be; a cause that does not fire is
                ignored.
            inputs: the incident inputs since the previous step.

        Raises:
            ValueError: T is not after the previous step's T.
        """
        memory, at = self.memory, view.at
        if memory.at is not None and at <= memory.at:
            raise ValueError(f"{self.env}: step {at} does not come after {memory.at}")
        elapsed = at - memory.at if memory.at is not None else 0
        recorder = Recorder(self.policy, view, elapsed, memory.covers)
        memory.at = at
        memory.gone = still_gone(memory.gone, view, self.policy)
        self._note_firing(causes, recorder)
        declares = self._apply(inputs, recorder)
        self._remember_gone(recorder)  # of what a person has resolved now, before its silence is weighed
        self._note_firing(causes, recorder)
        firing = recorder.firing
        harmless = {"silence", *WAKES_NOBODY}
        recorder.only_silence = all(cause.detector in harmless for cause in firing)
        groups = group_causes(
            [*firing, *(cause for cause, _ in declares)],
            memory.incidents,
            view,
            self.policy.lifecycle,
        )
        for group in groups:
            if group.operation == "begin" and not any(recorder.is_news(cause) for cause in group.causes):
                group.operation = "rest"
        recorder.csps = csps_of(group.scope for group in groups if group.is_live and group.is_serious)
        recorder.standing = [
            (group.memory.incident.id, group.scope)
            for group in groups
            if group.memory and is_serious(group.memory.incident)
        ]
        for group in groups:
            self._follow(group, recorder)
        for group in groups:
            self._merge(group, recorder)
        self._declare(declares, groups, recorder)
        self._remember_gone(recorder)
        known = sorted(
            (group.memory for group in groups if group.memory),
            key=lambda one: int(one.incident.id.rpartition("-")[2]),
        )
        memory.incidents = [one for one in known if one.incident.state != "closed"]
        closed = [one.incident for one in known if one.incident.state == "closed"]
        self._notices += follow(memory.covers, self.incidents(), at, self.policy)
        if closed:
            memory.past = past.kept([*memory.past, *closed], at)
        return recorder.transitions

    def _note_firing(self, causes: Sequence[Cause], recorder: Recorder) -> None:
        recorder.gone = gone = self.memory.gone
        recorder.firing = [
            cause
            for cause in causes
            if cause.state == "firing" and not unexpected(cause, gone, self.policy, recorder.at)
        ]

    def _follow(self, group: IncidentGroup, recorder: Recorder) -> None:
        if group.operation == "begin":
            number = self.memory.next_number
            if group.memory is None:
                self.memory.next_number += 1
            group.memory = opening.begin(
                group.memory, f"{self.env}-{number}", group.scope, group.causes, recorder
            )
        elif group.operation == "advance" and group.memory is not None:
            transitions.advance(group.memory, group.scope, group.causes, recorder)
        elif group.operation == "rest" and group.memory is not None:
            transitions.after_resolution(group.memory, group.causes, recorder)
        if group.is_live and group.memory is not None and group.symptoms:
            seen = {*group.memory.incident.causes, *(cause.detector for cause in group.symptoms)}
            group.memory.incident = replace(group.memory.incident, causes=tuple(sorted(seen)))

    def _merge(self, group: IncidentGroup, recorder: Recorder) -> None:
        """Resolve an incident that another one has taken in. Its PagerDuty alerts are resolved with it."""
        if group.memory is None or group.into is None or group.into.memory is None:
            return
        lost, kept = group.memory, group.into.memory
        kept.scopes = sorted({*kept.scopes, *lost.scopes})
        kept.incident = replace(
            kept.incident,
            first_bad_at=min(kept.incident.first_bad_at, lost.incident.first_bad_at),
            narrower=tuple(sorted({*kept.incident.narrower, lost.incident.scope})),
        )
        actions.take_over(kept, lost, recorder)
        lost.merged = True
        into = f"merged into {kept.incident.id}"
        reason = f"What fails on {lost.incident.scope} is part of {kept.incident.id} ({kept.incident.scope})."
        transitions.resolve(lost, recorder, into, reason)

    def _remember_gone(self, recorder: Recorder) -> None:
        """Remember the scopes of silences that ended in this step though nothing has arrived."""
        for transition in recorder.transitions:
            incident = transition.incident
            ended = transition.kind == "resolved" and incident.resolved_reason in ("gone", "by a person")
            if ended and is_silence(incident):
                self.memory.gone = with_gone(self.memory.gone, incident.scope, recorder.at)

    # -- incident inputs --------------------------------------------------------------------------------------

    def _apply(
        self, inputs: Sequence[IncidentInput], recorder: Recorder
    ) -> list[tuple[Cause, IncidentInput]]:
        """Apply each input once, and return what was declared on a scope, as causes to be grouped."""
        declares = []
        for given in inputs:
            incident_input = replace(
                given, by=plain_line(given.by) or "somebody", text=plain_text(given.text)
            )
            before = len(recorder.transitions)
            reason: str | None = None
            remembered = _remembered(incident_input.id)
            if remembered in self.memory.applied or incident_input.id in self.memory.applied:
                reason = "it was dealt with before"
            else:
                self.memory.applied = [*self.memory.applied, remembered][-INPUTS_REMEMBERED:]
                if incident_input.env != self.env:
                    reason = f"it is for {incident_input.env}, this is {self.env}"
                elif incident_input.kind == "declare" and incident_input.incident is None:
                    reason = self._refuse_scope(incident_input.scope, recorder.view)
                    if incident_input.scope is not None and reason is None:
                        declares.append(
                            (declared_cause(incident_input, incident_input.scope, recorder), incident_input)
                        )
                elif incident_input.kind in _COVERING:
                    reason = self._cover(incident_input, recorder)
                elif incident_input.kind == "retire":
                    reason = self._retire(incident_input, recorder)
                elif incident_input.kind == "report":
                    cause, reason = self._report(incident_input, recorder)
                    if cause is not None:
                        declares.append((cause, incident_input))
                else:
                    reason = self._address(incident_input, recorder)
            if reason is not None:
                self._refused.append((incident_input, reason))
            elif len(recorder.transitions) == before and not any(
                one is incident_input for _, one in declares
            ):
                self._unseen.append(incident_input)
            _sign(recorder, before, incident_input)
        return declares

    def _refuse_scope(self, scope: str | None, view: View) -> str | None:
        if scope is None:
            return "it names no scope"
        if scope.partition("/")[0] != self.env:
            return f"{scope} is not in {self.env}"
        return None if view.knows(scope) else f"there is no scope {scope!r}"

    def _report(self, incident_input: IncidentInput, recorder: Recorder) -> tuple[Cause | None, str | None]:
        """Note a report on the open incident that may explain it, or return the cause that it is, or why not."""
        scope = incident_input.scope or self.env
        reason = self._refuse_scope(scope, recorder.view)
        if reason is not None or join_report(self.memory.incidents, incident_input, scope, recorder):
            return None, reason
        return reported_cause(incident_input, scope, recorder), None

    def _cover(self, incident_input: IncidentInput, recorder: Recorder) -> str | None:
        """Set or end a mute, a maintenance or a correction, or note a deploy: what is told by a notice."""
        if incident_input.kind != "unmute":
            reason = self._refuse_scope(incident_input.scope, recorder.view)
            if reason is not None:
                return reason
        said: Notice | str
        if incident_input.kind == "deploy":
            said = deployed(incident_input, recorder.at)
        else:
            said = cover(self.memory.covers, incident_input, recorder.at, self.policy)
        if isinstance(said, str):
            return said
        self._notices.append(said)
        return None

    def _retire(self, incident_input: IncidentInput, recorder: Recorder) -> str | None:
        """Expect a value of an axis no more, and resolve the silences that consist of it."""
        scope = retired_by(incident_input, self.policy)
        if scope is None:
            return f"{incident_input.axis!r} and {incident_input.value!r} are no axis and value"
        self.memory.gone = with_gone(self.memory.gone, scope, recorder.at, silent=False)
        for memory in self.memory.incidents:
            if memory.is_open and is_silence(memory.incident) and contains(scope, memory.incident.scope):
                reason = f"{incident_input.by} said that {incident_input.value} is retired."
                transitions.resolve(
                    memory, recorder, "gone", reason, by=incident_input.by, via=incident_input.via
                )
        return None

    def _address(self, incident_input: IncidentInput, recorder: Recorder) -> str | None:
        kind, named = incident_input.kind, incident_input.incident
        memory = next((m for m in self.memory.incidents if m.incident.id == named), None)
        late = kind in BY_KIND and BY_KIND[kind].late and incident_input.alert is None
        if memory is None and late:
            return past.act(self.memory.past, incident_input, recorder, _ACTIONS[kind])
        if memory is None:
            return f"there is no incident {named} that is not closed"
        if incident_input.alert is not None and kind != "note":
            others = [other for other in self.memory.incidents if other is not memory]
            return apply_news(memory, incident_input, recorder, others)
        if kind not in _ACTIONS:
            return "it says nothing of an alert"
        if not (memory.is_open or late or kind == "note"):
            return f"{named} is resolved"
        if kind in _GROWS and past.is_full(self.memory.incidents):
            return (
                "the incidents hold as many roles, updates and follow-ups as there is room for: end one first"
            )
        return _ACTIONS[kind](memory, incident_input, recorder)

    def _declare(
        self,
        declares: Sequence[tuple[Cause, IncidentInput]],
        groups: Sequence[IncidentGroup],
        recorder: Recorder,
    ) -> None:
        for cause, incident_input in declares:
            if incident_input.kind == "report":
                settle_report(cause, incident_input, groups, recorder)
                continue
            for group in groups:
                if (
                    group.memory is not None
                    and any(cause is one for one in group.causes)
                    and group.into is None
                ):
                    before = len(recorder.transitions)
                    reason = actions.declare(group.memory, incident_input, recorder)
                    if reason is not None:
                        self._refused.append((incident_input, reason))
                    _sign(recorder, before, incident_input)


def _remembered(input_id: str) -> str:
    """What is remembered of an input's id."""
    if len(input_id) <= _ID_LENGTH:
        return input_id
    return blake2b(input_id.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _sign(recorder: Recorder, since: int, incident_input: IncidentInput) -> None:
    """Set ``input`` of the transitions from index ``since`` on to the id of this input."""
    signed = [replace(transition, input=incident_input.id) for transition in recorder.transitions[since:]]
    recorder.transitions[since:] = signed
