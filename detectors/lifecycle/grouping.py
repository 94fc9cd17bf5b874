"""To which incident does a cause belong?

* To the open incident on the same scope, or on the narrowest scope that contains the cause's scope.
* Else to the oldest open incident inside the cause's scope. Once the cause has held for ``widen_after``, or if
  the incident has just opened, this incident widens, and the others are merged into it. The wait is needed
  because a second outage often looks for some seconds as if the first had spread. An incident that has just opened
  rests on few failures: it also takes the scope of a cause that overlaps its scope and explains nearly all of them.
* Else to a resolved incident: an incident on the same scope, or one that has had findings on this scope before,
  reopens. A cause whose scope merely overlaps or contains the incident's is another outage until shown
  otherwise.
* Else the cause opens an incident of its own.

So open incidents never lie within each other, with one exception. Causes that wake nobody (surges, slowness)
neither widen, reopen nor hold open a serious incident. Such a cause is a symptom of an outage whose scope contains
or overlaps its scope; a surge of user errors is a symptom only where the scope contains it, because no outage
causes user errors. Otherwise such causes have incidents of their own, by the same rules, and such an incident
becomes serious when a serious cause appears on its scope or around it. An incident that a person has resolved soon
after its causes fired holds these causes, and those of narrower scopes, back for ``resolve_grace`` or until they
have been quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from detectors.axes import contains, narrowness, overlaps, shared
from detectors.incidents import Cause
from detectors.lifecycle.memory import IncidentMemory, View
from detectors.policy.sections import LifecyclePolicy
from detectors.urgency import STATED, WAKES_NOBODY, is_outage, is_serious

__all__ = ["IncidentGroup", "group_causes"]

#: A cause explains an incident that overlaps it with this share of the people whom the incident has hit.
_NEARLY_ALL = 0.9


@dataclass
class IncidentGroup:
    """The causes that belong to one incident in a step, and what is to be done with the incident.

    Attributes:
        memory: the incident; None for one to be opened.
        scope: the scope that the incident is to have.
        operation: ``advance`` an open incident, ``begin`` (open or reopen) one, let a resolved one ``rest``, or
            ``merge`` it into another.
        causes: the causes that belong to the incident; for a resolved one, the causes that it holds back.
        into: the group that the incident is merged into.
        symptoms: causes that wake nobody and that the incident explains.
    """

    memory: IncidentMemory | None
    scope: str
    operation: Literal["advance", "begin", "rest", "merge"]
    causes: list[Cause] = field(default_factory=list)
    into: IncidentGroup | None = None
    symptoms: list[Cause] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        """Whether the incident is open after the step, provided that its causes are news."""
        return self.operation in ("advance", "begin")

    @property
    def is_outage(self) -> bool:
        """Whether a detector has found a cause that may wake somebody."""
        before = self.memory is not None and self.memory.is_open and is_outage(self.memory.incident)
        return before or not WAKES_NOBODY.union(STATED).issuperset(c.detector for c in self.causes)

    @property
    def is_serious(self) -> bool:
        """Whether a detector has found a cause that may wake somebody, or a person has declared an outage."""
        before = self.memory is not None and self.memory.is_open and is_serious(self.memory.incident)
        return before or any(cause.detector not in WAKES_NOBODY for cause in self.causes)


def group_causes(
    causes: Iterable[Cause], memories: Sequence[IncidentMemory], view: View, rules: LifecyclePolicy
) -> list[IncidentGroup]:
    """A group for each incident, in the order of ``memories``, then a group for each incident to be opened.

    Args:
        causes: causes that fire, or that a person has declared.
        memories: all incidents that are not closed, the oldest first.
        view: the step.
        rules: ``widen_after`` and ``resolve_grace`` of these apply.
    """
    at, causes = view.at, list(causes)
    groups = [IncidentGroup(m, m.incident.scope, "advance" if m.is_open else "rest") for m in memories]
    misplaced = [group for group in groups if _is_misplaced(group, causes, at, rules.widen_after)]
    # The widest causes come first, so that narrower ones find their incident; causes that wake nobody come last.
    for cause in sorted(causes, key=lambda cause: (_is_minor(cause), narrowness(cause.scope))):
        explained = _explaining(cause, groups, at)
        if explained is not None:
            explained.symptoms.append(cause)
            continue
        across = [group for group in misplaced if _takes_over(cause, group, view)]
        group = _among_open(cause, groups, across, at, rules.widen_after)
        group = group or _among_resolved(cause, groups, at, rules.resolve_grace)
        if group is None:
            group = IncidentGroup(None, cause.scope, "begin")
            groups.append(group)
        group.causes.append(cause)
    return groups


def _is_minor(cause: Cause) -> bool:
    return cause.detector in WAKES_NOBODY


def _is_misplaced(group: IncidentGroup, causes: Sequence[Cause], at: int, after: int) -> bool:
    """Whether an incident has just opened, and no cause lies within the scope that it was given."""
    memory = group.memory
    return (
        memory is not None
        and memory.is_open
        and is_outage(memory.incident)
        and _has_just_opened(memory, at, after)
        and not any(contains(group.scope, cause.scope) for cause in causes if not _is_minor(cause))
    )


def _takes_over(cause: Cause, group: IncidentGroup, view: View) -> bool:
    """Whether a cause overlaps an incident and explains nearly all of its failures."""
    if group.memory is None or cause.detector in STATED or _is_minor(cause):
        return False
    if contains(cause.scope, group.scope) or not overlaps(cause.scope, group.scope):
        return False
    since = group.memory.incident.first_bad_at
    both = view.people(shared(group.scope, cause.scope), since).people
    return both >= _NEARLY_ALL * view.people(group.scope, since).people


def _left_behind(cause: Cause, group: IncidentGroup, at: int) -> bool:
    """Whether a surge of failures may be what a resolved outage has left in its window."""
    if group.operation != "rest" or group.memory is None or cause.numbers.get("counts") != "bad":
        return False
    resolved_at = group.memory.incident.resolved_at
    window = cause.numbers.get("window_ms")
    return (
        resolved_at is not None
        and isinstance(window, int)
        and at - resolved_at < window
        and is_outage(group.memory.incident)
    )


def _explaining(cause: Cause, groups: Sequence[IncidentGroup], at: int) -> IncidentGroup | None:
    """The group of which a cause that wakes nobody is a symptom.

    An outage that has resolved since the cause's window began also explains it: the window still counts its failures.
    """
    if not _is_minor(cause):
        return None
    by_users = cause.numbers.get("counts") == "excluded"
    found = [
        group
        for group in groups
        if ((group.is_live and group.is_outage) or _left_behind(cause, group, at))
        and (contains(group.scope, cause.scope) or (overlaps(group.scope, cause.scope) and not by_users))
    ]
    return max(found, key=lambda group: narrowness(group.scope), default=None)


def _among_open(
    cause: Cause,
    groups: Sequence[IncidentGroup],
    across: Sequence[IncidentGroup],
    at: int,
    widen_after: int,
) -> IncidentGroup | None:
    minor = _is_minor(cause)
    live = [group for group in groups if group.is_live and not (minor and group.is_outage)]
    holders = [group for group in live if (minor or group.is_serious) and contains(group.scope, cause.scope)]
    if holders:
        return max(holders, key=lambda group: narrowness(group.scope))
    inside = [
        group for group in live if not (minor and group.is_serious) and contains(cause.scope, group.scope)
    ]
    inside.sort(key=lambda group: not group.is_serious)  # of equals the oldest stays first
    held_back = bool(inside) and inside[0].is_serious and cause.detector not in STATED
    if held_back and not _may_widen(inside[0].memory, at, widen_after):
        return inside[0]
    taken = [group for group in live if group in inside or group in across]
    if not taken:
        return None
    oldest, *others = sorted(taken, key=lambda group: not group.is_serious)
    oldest.scope = cause.scope
    for group in others:
        group.operation, group.into = "merge", oldest
    return oldest


def _may_widen(memory: IncidentMemory | None, at: int, after: int) -> bool:
    if memory is None or not memory.is_open:
        return True
    return memory.wider_for >= after or _has_just_opened(memory, at, after)


def _has_just_opened(memory: IncidentMemory, at: int, after: int) -> bool:
    return at - memory.incident.opened_at < after


def _among_resolved(
    cause: Cause, groups: Sequence[IncidentGroup], at: int, grace: int
) -> IncidentGroup | None:
    candidates: list[tuple[bool, int, IncidentGroup]] = []
    for group in groups:
        memory = group.memory
        if group.operation != "rest" or memory is None or memory.merged:
            continue
        if _is_minor(cause) and is_serious(memory.incident):
            continue
        resolved_at = memory.incident.resolved_at or at
        if memory.held and contains(group.scope, cause.scope):
            if cause.detector not in STATED and at - resolved_at < grace:
                return group
        elif cause.scope not in memory.scopes:
            continue
        candidates.append((group.scope == cause.scope, resolved_at, group))
    if not candidates:
        return None
    *_, group = max(candidates, key=lambda one: one[:2])
    group.operation, group.scope = "begin", cause.scope
    return group
