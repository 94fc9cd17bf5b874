"""What is an incident? The values that pass from detection to the incident life cycle and on to the receivers.

All are immutable and serialise to JSON as they stand. Instants are ms since the epoch; in JSON that people read
(`incidents`, `incident-log`, HTTP) they are written as RFC 3339 by ``streams``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.process.alert_news import AlertNews
from detectors.process.record import Process
from detectors.process.vocabulary import InputKind, Role, Stage

__all__ = [
    "Basis",
    "Cause",
    "Command",
    "Common",
    "Counts",
    "DetectorName",
    "FindingState",
    "Incident",
    "IncidentInput",
    "Note",
    "Page",
    "State",
    "Told",
    "Transition",
    "TransitionKind",
    "error_words",
]

State = Literal["open", "acknowledged", "recovering", "resolved", "closed"]
Basis = Literal["observed", "projected", "estimated"]
FindingState = Literal["firing", "quiet", "not_enough_evidence"]
DetectorName = Literal[
    "burn_rate", "outage", "silence", "funnel", "surge", "latency", "declared", "urgent", "reported"
]
TransitionKind = Literal[
    "opened",
    "acknowledged",
    "unacknowledged",  # an acknowledgement was taken back
    "declared",
    "cause",  # the incident was only a surge or slowness (Slack alone) and has become serious
    "severity",
    "share",  # twice the share of sign-ins fails that was told before, though the severity is the same
    "scope",
    "recovering",
    "relapsed",
    "resolved",
    "reopened",
    "closed",
    "note",
    "notes",  # notes that had to wait are told to the receivers together
    "linked",  # it is known which incident of PagerDuty's holds an alert
    "said_resolved",  # a person has resolved it while it fails: it goes on
    "still_failing",  # it fails ``resolve_grace`` after a person has resolved it
    "page_due",  # a page held back is due: a severity 3 did not rise in 30 s, or maintenance is over
    "uncovered",  # the mute of an incident that is not over has ended
    "reminder",  # half of a response time is gone without an acknowledgement
    "breach",  # a response time is over
    "update",  # the update for those who wait: the routine one, or a person's own
    "assigned",  # somebody has a role
    "staged",  # how far the process is, as a person says
    "eta",
    "follow_up",
    "checked",
    "post_mortem",
    "completed",
]


def error_words(error: float) -> str:
    """``±0.19%`` of the error of an estimate: a share, to two digits."""
    return f"±{error:.{0 if error >= 0.1 else 1 if error >= 0.01 else 2}%}"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one scope in one window (``window`` ms long, ending at ``at``), steps of ``sign_in``."""

    at: int
    window: int
    good: int
    bad: int
    excluded: int
    started: int
    slow: int
    timed: int
    users_impacted: int

    @property
    def success_ratio(self) -> float | None:
        """``good / (good + bad)``; None when nothing completed."""
        done = self.good + self.bad
        return self.good / done if done else None

    @property
    def failing_ratio(self) -> float:
        """``bad / (good + bad)``; 0 when nothing completed."""
        done = self.good + self.bad
        return self.bad / done if done else 0.0


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One detector's finding on one scope at one T.

    Attributes:
        detector: who found it.
        scope: path, with the environment.
        state: firing, quiet, or not_enough_evidence.
        sentence: plain English, with the numbers: why it fires (or does not).
        numbers: the inputs and thresholds behind the sentence, for the incident log.
        first_bad: instant of the first failing event that the finding rests on (start of the silence for silence).
        estimated_users: people per hour where failures leave no trace (silence, funnel); None elsewhere.
        failing_ratio: share of sign-ins affected, 0-1 (1.0 for total silence).
        csp_caused: the failing scope is a credential provider.
    """

    detector: DetectorName
    scope: str
    state: FindingState
    sentence: str
    numbers: dict[str, float | int | str | None] = {}
    first_bad: int | None = None
    estimated_users: float | None = None
    failing_ratio: float = 1.0
    csp_caused: bool = False


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """A value that most of the people who fail have in common, and others have not.

    Attributes:
        field: an axis, ``step``, ``error_code`` or ``error_class``.
        value: the value.
        failing, failing_of: of ``failing_of`` people who fail, ``failing`` have it; estimates where people are sampled.
        usual_share: the share of all who have it, 0-1; None for what only failures have.
    """

    field: str
    value: str
    failing: int
    failing_of: int
    usual_share: float | None = None

    @property
    def failing_share(self) -> float:
        """The share of the people who fail who have the value, 0-1."""
        return self.failing / self.failing_of if self.failing_of else 0.0


class Note(msgspec.Struct, frozen=True):
    """A line that a person, or a receiver, put on an incident. ``via``: the door that it came by, as of an input."""

    at: int
    by: str
    text: str
    via: str | None = None


class Page(msgspec.Struct, frozen=True):
    """A PagerDuty alert that was triggered for this epoch.

    Attributes:
        dedup_key: its key.
        level: the highest level sent with it.
        incident: PagerDuty's id of the incident that holds the alert, after a merge of the target; None: not known.
        closed_at: T (ms) from which on the alert is resolved there though the incident goes on; None: it is open.
    """

    dedup_key: str
    level: Literal["critical", "error", "warning"]
    incident: str | None = None
    closed_at: int | None = None


class Told(msgspec.Struct, frozen=True):
    """A receiver of the policy's routes that hears of a change: by its first message of the epoch, or a later one."""

    receiver: str
    action: Literal["open", "update", "resolve"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as it stands. ``id`` is ``<env>-<running number>``; ``epoch`` counts reopenings."""

    id: str
    env: str
    epoch: int
    scope: str
    state: State
    causes: tuple[str, ...]  # names of detectors that have fired, sorted
    sentence: str  # of the leading cause, now
    severity: int  # 1-3, SLA
    peak_severity: int  # the worst (least) severity so far in this epoch
    priority: str  # P1-P4
    datadog_severity: str  # SEV-1 ... SEV-5
    basis: Basis
    users_impacted: int  # the figure that ``basis`` names, now
    peak_users_impacted: int
    # how far the truth may lie from these, as a share (``impact.relative_error``); unset where they were counted
    users_impacted_error: float | msgspec.UnsetType = msgspec.UNSET
    peak_users_impacted_error: float | msgspec.UnsetType = msgspec.UNSET
    first_bad_at: int
    opened_at: int  # of this epoch: the response clocks run from here
    updated_at: int
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    declared_at: int | None = None
    declared_by: str | None = None
    recovering_at: int | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    said_resolved_at: int | None = None  # a person resolved it while it fails, and nobody was paged since
    said_resolved_by: str | None = None
    resolved_reason: str | None = None  # "recovered", "faded", "by a person", "merged into prod-3"
    closed_at: int | None = None
    counts_opening: Counts | None = None
    counts_peak: Counts | None = None
    counts_now: Counts | None = None
    failing_ratio: float = 0.0
    csp_caused: bool = False
    in_maintenance: bool = False
    muted_since: int | None = None  # the span of the mutes that cover it now
    muted_until: int | None = None
    narrower: tuple[str, ...] = ()  # narrower scopes whose findings are recorded here
    fail_over: str | None = None  # advice, while its condition holds
    common: tuple[Common, ...] = ()  # what the people who fail have in common, at most three values
    notes: tuple[Note, ...] = ()
    links: dict[str, str] = {}
    pages: tuple[Page, ...] = ()  # PagerDuty alerts of this epoch
    routed: tuple[
        str, ...
    ] = ()  # receivers of the routes that this epoch was for, in the order of their first message
    policy_hash: str = ""
    key_prefix: str = ""  # what its dedup keys begin with, as of its opening; empty: as the policy says
    process: Process = Process()

    @property
    def is_hidden(self) -> bool:
        """Whether maintenance or a mute keeps it from waking and telling anybody."""
        return self.in_maintenance or self.muted_until is not None

    @property
    def people_an_hour(self) -> str:
        """``1,204 people an hour (observed)``, with the error of a figure that is taken from a sample."""
        error = self.users_impacted_error
        within = "" if error is msgspec.UNSET else f", {error_words(error)}"
        return f"{self.users_impacted:,} people an hour ({self.basis}{within})"


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an incident at T.

    Attributes:
        kind: what happened.
        at: T, ms.
        incident: as it stands after.
        from_state, from_severity, from_scope: as they stood before; None when it opened.
        reason: one sentence.
        by: the person or receiver behind it, if any ("PagerDuty: Ada").
        via: "pagerduty" for an input from PagerDuty, "http" for an input over HTTP, "slack" for one from Slack, else
            None.
        causes: the findings behind it.
        page: the PagerDuty alert that it triggers or raises, with the level of that trigger.
        told: the receivers of the policy's routes that hear of it.
        quietly: whether only the thread's root is corrected, without a new message, as the last was too recent.
        nth: how many transitions of this kind the incident had before at this T, which makes ids unique.
        input: id of the input that a person or receiver asked for it by, if any.
        notes: the notes that receivers are told with it, whole, oldest first.
        happened_at: when what it tells happened (ms), where a person says so.
        muted_since: since when (ms) a mute covered it before.
    """

    kind: TransitionKind
    at: int
    incident: Incident
    from_state: State | None
    from_severity: int | None
    from_scope: str | None
    reason: str
    by: str | None = None
    via: str | None = None
    causes: tuple[Cause, ...] = ()
    page: Page | None = None
    told: tuple[Told, ...] = ()
    quietly: bool = False
    nth: int = 0
    input: str | None = None
    notes: tuple[Note, ...] = ()
    happened_at: int | None = None
    muted_since: int | None = None

    @property
    def visible(self) -> bool:
        """Whether state, severity or scope changed (what a ``transition`` line is printed for)."""
        after = self.incident
        return (self.from_state, self.from_severity, self.from_scope) != (
            after.state,
            after.severity,
            after.scope,
        )


class IncidentInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a webhook asks for: a record of the topic ``incident-inputs``.

    ``id`` makes it apply once. ``incident`` is None for a ``declare`` that opens one on ``scope``, and for acts that
    speak of no incident. PagerDuty's webhooks alone say that an alert was triggered (``linked``), merged into another
    incident (``merge``), resolved by nobody (``auto_resolve``) or reopened (``reopen``). ``process.actions`` says which
    act takes which of the other fields.

    Attributes:
        role, who: of an assignment.
        since, until: instants (ms): the bounds of a span; when what a note tells happened; an estimated end.
        item: a line of the checklist, the number of a follow-up, or the id of a mute, maintenance or correction.
        recurs: an RRULE of RFC 5545, without dates.
        states: two-letter codes, as ``process.states.read_states`` returns them.
    """

    id: str
    env: str
    kind: InputKind
    incident: str | None = None
    scope: str | None = None
    axis: str | None = None
    value: str | None = None
    by: str = "somebody"
    via: Literal["http", "pagerduty", "slack"] = "http"
    text: str = ""
    role: Role | None = None
    who: str | None = None
    stage: Stage | None = None
    since: int | None = None
    until: int | None = None
    link: str | None = None
    public: bool | None = None
    item: str | None = None
    recurs: str | None = None
    states: tuple[str, ...] | None = None
    at: int = 0  # when it was received, ms; beside PagerDuty's instants it decides what came later
    alert: AlertNews | None = None  # of an input from PagerDuty


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One notification of one receiver: a record of the outbox topic ``incident-commands``.

    ``id`` is a pure function of (incident, epoch, transition, sink), so that a repeat is recognised.

    Attributes:
        sink: pagerduty, datadog, slack, or a receiver of the policy's routes.
        action: pagerduty: trigger, acknowledge, resolve, change (of the watch itself). pagerduty:rest: note, update.
            datadog: event, incident_create, incident_update, incident_resolve, change. slack: post, update (edit the
            root), reply, broadcast (a reply shown in the channel), notice (a message of its own, which belongs to no
            incident). others: open, update, resolve.
        level: pagerduty and others critical|error|warning; datadog event error|warn|ok; slack "info".
            Others have "ok" for a resolution.
        dedup_key: the receiver's key for this incident and epoch.
        kind, reason: of the transition, or of a notice; "missed": a receiver was not told of something; "links": a
            receiver has returned a link that another is to show.
        incident: as it stood then.
    """

    id: str
    sink: str
    action: str
    level: str
    dedup_key: str
    incident_id: str
    epoch: int
    at: int
    kind: TransitionKind | Literal["notice", "missed", "links"]
    reason: str
    incident: Incident
    by: str | None = None
