"""Which commands for receivers follow from a change of an incident? Commands and ids are pure functions of the change.

Messages are bounded whatever the input does, because transitions are: the life cycle says which of them make
a page (``Transition.page``) and which only correct what stands (``Transition.quietly``).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from detectors.incidents import Command, Incident, Note, Told, Transition, TransitionKind
from detectors.instants import format_instant
from detectors.notification.paging import LEVELS, dedup_key, is_breach
from detectors.policy.policy import Policy
from detectors.process.actions import SPOKEN
from detectors.urgency import is_lasting_slowness, is_serious

__all__ = ["PAGERDUTY_REST", "catch_up", "kind_key", "makes_thread_message", "plan"]

#: Changes that the thread gets a line for, beside the correction of its root.
_REPLIES: frozenset[TransitionKind] = frozenset(
    {
        "acknowledged",
        "unacknowledged",
        "declared",
        "cause",
        "share",
        "recovering",
        "relapsed",
        "resolved",
        "said_resolved",
        "reminder",
        "update",
        "uncovered",
    }
)
#: Changes that the thread hears of and the whole channel too.
_BROADCAST: frozenset[TransitionKind] = frozenset({"breach", "still_failing"})
#: Changes after which a declared incident is brought up to date in Datadog ("states follow ours").
_DATADOG_FOLLOWS: frozenset[TransitionKind] = frozenset(
    {"severity", "share", "scope", "recovering", "relapsed", "update", "uncovered", "assigned", "follow_up"}
)
#: The receiver of what PagerDuty's events do not carry: notes, and the title and priority of its incident.
PAGERDUTY_REST = "pagerduty:rest"
_CAUGHT_UP = "-caught-up"
_OPEN = ("open", "acknowledged", "recovering")


def kind_key(transition: Transition) -> str:
    """The key that distinguishes this change from all others of its incident and epoch."""
    name: str = transition.kind
    if name == "severity":
        name = f"severity-{transition.incident.severity}"
    return f"{name}@{transition.at}" + (f".{transition.nth}" if transition.nth else "")


def plan(
    transition: Transition, policy: Policy, sinks: frozenset[str], catching_up: bool = False
) -> list[Command]:
    """The commands that a change makes, for the receivers that are on, in the order in which they are to go.

    While catching up nothing is sent; ``catch_up`` makes the commands that are due afterwards.
    """
    return [] if catching_up else _commands(transition, policy, sinks)


def _commands(transition: Transition, policy: Policy, sinks: frozenset[str], mark: str = "") -> list[Command]:
    out = _CommandList(transition, policy, mark)
    reason = _joined(transition.notes) if transition.kind == "notes" else None
    for action in _slack_actions(transition):  # first, as the page links to its thread
        out.add("slack", action, "info", reason=reason)
    _pagerduty(out, transition)
    _datadog(out, transition)
    for told in transition.told:
        out.add(told.receiver, told.action, _urgency(transition.incident), reason=reason)
    return [command for command in out.commands if command.sink in sinks]


def makes_thread_message(transition: Transition) -> bool:
    """Whether the Slack thread gets a message (a correction of its root is none)."""
    return any(action != "update" for action in _slack_actions(transition))


class _CommandList:
    """Collects the commands of one change. ``mark`` makes their ids differ from those of the change itself."""

    def __init__(self, transition: Transition, policy: Policy, mark: str) -> None:
        self._transition = transition
        self._mark = mark
        self._key = dedup_key(transition.incident, policy)
        self.commands: list[Command] = []

    def add(
        self, sink: str, action: str, level: str, key: str | None = None, *, reason: str | None = None
    ) -> None:
        """Add one command.

        Args:
            key: the dedup key of the alert, where an incident has several.
            reason: in place of the transition's.
        """
        transition = self._transition
        incident = transition.incident
        parts = [incident.id, str(incident.epoch), kind_key(transition) + self._mark, sink, action]
        if key is not None and key != self._key:
            parts.append(key.removeprefix(f"{self._key}:"))
        self.commands.append(
            Command(
                id=":".join(parts),
                sink=sink,
                action=action,
                level=level,
                dedup_key=key or self._key,
                incident_id=incident.id,
                epoch=incident.epoch,
                at=transition.at,
                kind=transition.kind,
                reason=transition.reason if reason is None else reason,
                incident=incident,
                by=transition.by,
            )
        )


def _rises(transition: Transition) -> bool:
    before = transition.from_severity
    return transition.kind == "severity" and before is not None and transition.incident.severity < before


def _joined(notes: Iterable[Note]) -> str:
    """Notes in one text, a line each, with the person who wrote it and the time."""
    return "\n".join(
        " ".join(f"{format_instant(note.at)[11:16]} {note.by}: {note.text}".split()) for note in notes
    )


def _status(incident: Incident) -> str:
    """Datadog's status of an event: error for severities 1 and 2, warn for 3, ok once resolved."""
    if incident.state in ("resolved", "closed"):
        return "ok"
    return "warn" if incident.severity == 3 else "error"


def _urgency(incident: Incident) -> str:
    return "ok" if incident.state in ("resolved", "closed") else LEVELS[incident.severity]


def _pagerduty(out: _CommandList, transition: Transition) -> None:
    if transition.page is not None:
        out.add("pagerduty", "trigger", transition.page.level, transition.page.dedup_key)
    # PagerDuty knows of the acknowledgements that were made with it.
    if transition.kind == "acknowledged" and transition.via in ("http", "slack"):
        for page in transition.incident.pages:
            out.add("pagerduty", "acknowledge", page.level, page.dedup_key)
    # A person who has resolved the incident in PagerDuty has resolved its alerts there.
    if transition.kind == "said_resolved" and transition.via != "pagerduty":
        for page in transition.incident.pages:
            if page.closed_at == transition.at:
                out.add("pagerduty", "resolve", page.level, page.dedup_key)
    if transition.kind == "resolved":
        for page in transition.incident.pages:
            out.add("pagerduty", "resolve", page.level, page.dedup_key)
    notes = [note for note in transition.notes if note.via != "pagerduty"]
    last = transition.incident.pages[-1] if transition.incident.pages else None
    if transition.incident.muted_until is not None:
        return
    if notes and last is not None:
        out.add(PAGERDUTY_REST, "note", last.level, last.dedup_key, reason=_joined(notes))
    renamed = transition.kind in ("severity", "scope", "linked") and not transition.quietly
    if renamed and last is not None:
        out.add(PAGERDUTY_REST, "update", last.level, last.dedup_key)


def _datadog(out: _CommandList, transition: Transition) -> None:
    kind, incident = transition.kind, transition.incident
    status = _status(incident)
    muted = incident.muted_since
    if muted is not None and kind != "resolved":
        return
    if transition.notes:
        out.add("datadog", "event", status, reason=_joined(transition.notes))
    if not (is_serious(incident) or is_lasting_slowness(incident)) and "reported" not in incident.causes:
        return
    if muted is not None and incident.opened_at >= muted:
        return  # it has come and gone within a mute
    if kind in ("opened", "reopened", "cause", "resolved", "uncovered") or _rises(transition):
        out.add("datadog", "event", status)
    declared = incident.declared_at is not None and (muted is None or incident.declared_at < muted)
    anew = kind == "reopened" or (
        kind == "uncovered" and (incident.declared_at or 0) >= (transition.muted_since or 0)
    )
    if kind == "declared" or (anew and declared):
        # What Datadog knows belongs to an epoch: one that comes back declared is created anew.
        out.add("datadog", "incident_create", status)
    elif declared and kind == "resolved":
        out.add("datadog", "incident_resolve", status)
    elif declared and kind in _DATADOG_FOLLOWS and not transition.quietly:
        out.add("datadog", "incident_update", status)


def _slack_actions(transition: Transition) -> tuple[str, ...]:
    kind = transition.kind
    if kind in ("opened", "reopened"):
        # Every epoch has a thread of its own: that of the one before was closed when it resolved.
        return ("post",)
    if kind in _BROADCAST or _rises(transition):
        return ("update", "reply" if transition.incident.muted_until is not None else "broadcast")
    if transition.notes:
        return ("update", "reply")
    if kind in _REPLIES or kind == "severity" or (kind == "scope" and not transition.quietly):
        return ("update", "reply")
    return ("update",) if kind in SPOKEN or kind in ("scope", "linked") else ()


def catch_up(
    incident: Incident, before: Incident | None, policy: Policy, sinks: frozenset[str]
) -> list[Command]:
    """The commands for an incident once notifications, which had to wait, go out again.

    An incident that is still open is sent with its true start (the commands carry the instant of its opening). An
    incident that receivers knew before the wait is brought up to date, or resolved. An incident that has come and
    gone meanwhile is one message in Slack, and wakes nobody.

    Args:
        incident: as it stands now, or stood when it closed.
        before: as it stood when the wait began; None if it has opened since.
    """
    commands: list[Command] = []
    if before is not None and before.epoch != incident.epoch:
        if before.state in _OPEN:
            commands += _end(before, incident.opened_at, policy, sinks)
        before = None
    if incident.state in _OPEN:
        commands += _still_open(incident, before, policy, sinks)
    elif before is None:
        commands += _came_and_went(incident, policy, sinks)
    elif before.state in _OPEN:
        notified = replace(incident, pages=before.pages, declared_at=before.declared_at, routed=before.routed)
        commands += _end(notified, incident.resolved_at or incident.updated_at, policy, sinks)
    return commands


def _still_open(
    incident: Incident, before: Incident | None, policy: Policy, sinks: frozenset[str]
) -> list[Command]:
    start = format_instant(incident.first_bad_at)
    declared_now = incident.declared_at is not None and (before is None or before.declared_at is None)
    if before is None:
        kind: TransitionKind = "reopened" if incident.epoch else "opened"
        at = incident.opened_at
        reason = f"Failing since {start}; this was found while notifications waited. {incident.sentence}"
        # Nobody has heard of it yet, so no response time of theirs is over.
        page = next((page for page in reversed(incident.pages) if not is_breach(page)), None)
        if page and incident.acknowledged_at is not None and page.dedup_key == dedup_key(incident, policy):
            page = None  # somebody is at it already
    else:
        visible = (before.state, before.severity, before.scope) != (
            incident.state,
            incident.severity,
            incident.scope,
        )
        paged = [(page.dedup_key, page.level) for page in before.pages]
        more = [page for page in incident.pages if (page.dedup_key, page.level) not in paged]
        page = more[-1] if more else None
        if not (visible or page or declared_now or incident.routed != before.routed):
            return []
        kind = "severity" if incident.severity != before.severity else "update"
        at = incident.updated_at
        reason = f"Notifications had to wait. Failing since {start}. {incident.sentence}"
    change = Transition(
        kind=kind,
        at=at,
        incident=incident,
        from_state=before.state if before else None,
        from_severity=before.severity if before else None,
        from_scope=before.scope if before else None,
        reason=reason,
        page=page,
        told=_told_late(incident, before),
    )
    commands = []
    if declared_now and kind != "reopened":
        declared = replace(change, kind="declared", at=incident.declared_at, page=None, told=())
        commands += _commands(declared, policy, sinks & {"datadog"}, _CAUGHT_UP)
    return commands + _commands(change, policy, sinks, _CAUGHT_UP)


def _told_late(incident: Incident, before: Incident | None) -> tuple[Told, ...]:
    """The receivers of the routes that an open incident is for; those that knew it before the wait get an update."""
    heard = before.routed if before is not None else ()
    return tuple(Told(name, "update" if name in heard else "open") for name in incident.routed)


def _end(notified: Incident, at: int, policy: Policy, sinks: frozenset[str]) -> list[Command]:
    """Resolve at the receivers an incident that they were notified of before the wait."""
    ended = replace(
        notified, state="resolved", resolved_at=at, resolved_reason=notified.resolved_reason or "recovered"
    )
    change = Transition(
        kind="resolved",
        at=at,
        incident=ended,
        from_state="recovering",
        from_severity=notified.severity,
        from_scope=notified.scope,
        reason=f"It resolved at {format_instant(at)} ({ended.resolved_reason}), while notifications waited.",
        told=tuple(Told(name, "resolve") for name in notified.routed),
    )
    return _commands(change, policy, sinks, _CAUGHT_UP)


def _came_and_went(incident: Incident, policy: Policy, sinks: frozenset[str]) -> list[Command]:
    at = incident.resolved_at or incident.updated_at
    change = Transition(
        kind="resolved",
        at=at,
        incident=incident,
        from_state=None,
        from_severity=None,
        from_scope=None,
        reason=(
            f"Came and went while notifications waited: failing from {format_instant(incident.first_bad_at)},"
            f" resolved at {format_instant(at)}, severity {incident.peak_severity} at its worst."
        ),
    )
    out = _CommandList(change, policy, _CAUGHT_UP)
    out.add("slack", "post", "info")
    return [command for command in out.commands if command.sink in sinks]
