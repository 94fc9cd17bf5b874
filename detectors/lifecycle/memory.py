"""What does the life cycle remember of an incident, and what does it ask about a step?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Protocol

import msgspec

from detectors.incidents import Common, Counts, FindingState, Incident, Note
from detectors.instants import MINUTE
from detectors.lifecycle.severity import Growth, Level
from detectors.windows.impact import Distinct

__all__ = ["COUNTS_WINDOW", "FOUND_IN_FAILURES", "AlertState", "IncidentMemory", "View"]

#: The window of the counts that an incident carries, ms.
COUNTS_WINDOW = 5 * MINUTE
#: Findings of these detectors are no news when nobody has failed recently (``LifecyclePolicy.news``).
FOUND_IN_FAILURES = frozenset({"outage", "burn_rate"})


class View(Protocol):
    """What the life cycle may ask about the step it is in. ``at`` is its T, ms.

    ``frozen``: an input partition cannot be read, or most of what is read is rejected. Incidents may open and rise
    then, but nothing resolves and no severity falls.
    """

    @property
    def at(self) -> int: ...

    @property
    def frozen(self) -> bool: ...

    def finding(self, scope: str, leaving_out: Collection[str] = ()) -> FindingState:
        """The combined state of all findings on a scope, without those of the detectors in ``leaving_out``.

        A finding that is no news (``LifecyclePolicy.news``) does not fire.
        """
        ...

    def knows(self, scope: str) -> bool:
        """Whether each value that a scope of the environment names is one that events have had, or the policy lists."""
        ...

    def within(self, scope: str) -> tuple[str, ...]:
        """The scopes that a scope contains, without itself, as far as they have events."""
        ...

    def counts(self, scope: str, window: int = COUNTS_WINDOW) -> Counts:
        """Counts of a scope in ``[T - window, T)``; ``window`` in ms."""
        ...

    def returned(self, scope: str, window: int) -> float | None:
        """The share of started sign-ins that came back in ``[T - window, T)`` (ms), 0-1; None: it is not known."""
        ...

    def people(self, scope: str, since: int) -> Distinct:
        """Distinct people with a bad event in ``[max(since, T - 1 h), T)``."""
        ...

    def first_bad(self, scope: str, since: int) -> int | None:
        """When the first bad event of ``[max(since, T - 1 h), T)`` happened; None without one."""
        ...

    def succeeded_since(self, scope: str, since: int) -> bool:
        """Whether a sign-in succeeded in ``[since, T)``, at most an hour back."""
        ...

    def common(self, scope: str, since: int, usual: Mapping[str, str]) -> tuple[Common, ...] | None:
        """What the people who fail since an instant have in common; None where too few fail to tell.

        ``usual`` gives for some fields the value that is not told, as ``usual_failures`` does.
        """
        ...

    def usual_failures(self, scope: str, until: int) -> dict[str, str]:
        """The most frequent step, error code and error class of those who failed in ``[T - 1 h, until)``."""
        ...


class AlertState(msgspec.Struct, frozen=True):
    """What PagerDuty has said of one of its incidents.

    Attributes:
        at: when the last change of its state happened, ms by PagerDuty's clock.
        rank: of that change: 0 triggered, 1 acknowledged, 2 resolved. Of two changes at one instant the greater counts.
    """

    at: int
    rank: int


class IncidentMemory(
    msgspec.Struct,
    kw_only=True,
    # Stored under the names that earlier versions wrote.
    rename={"scope_notified": "scope_told", "scope_notified_at": "scope_told_at"},
):
    """One incident, and what the life cycle needs to know of it in the next step. Durations and instants in ms.

    Attributes:
        incident: as it stands.
        level: its severity, with the clocks of its fall.
        scopes: every scope that the incident's findings were on; a cause on one of them may reopen the incident.
        resume: the state that a relapse returns to.
        fired: whether a finding has fired in this epoch (not so for what only a person has declared).
        fired_at: when a finding fired last; the instant of the opening until one has fired.
        quiet_for: time since ``fired_at`` over which the findings were quiet; it stands still without evidence.
        relapses: number of relapses in this epoch.
        succeeded: whether a sign-in has succeeded since ``fired_at``.
        wider_for: time with a wider cause less time without one, at least 0.
        alone_on, alone_for: the narrower scope that holds all that fires, and for how long the rest was quiet.
        pageable_since: since when PagerDuty may hear of it.
        rung: the reminders and breaches of response times that were recorded in this epoch.
        woken_again: whether a page was sent after the acknowledgement.
        spoke_at: when the thread got its last message.
        scope_notified, scope_notified_at: the scope that the thread knows, and since when; None for since its
        opening.
        unseen_for: time since ``fired_at`` in which the watch was blind, and would not have seen a failure.
        silent_for: time in which nothing but silence was wrong, with the rest of the environment well.
        usual: field -> the most frequent value among those who failed in the hour before the opening.
        held: whether a person has resolved the incident soon after its findings fired, and they have not been quiet for
        ``recovering_after`` since: findings flicker.
        active_for: time for which its findings have fired without a recovery.
        began_at: the instant of the first bad event of this epoch; until its first step the end of the one before.
        growth: how the number of the people of this epoch has grown; None before the first step.
        peak_users: the greatest figure that was observed or estimated, or whose severity has stood.
        merged: whether the incident was resolved by a merge into another one; a merged incident never reopens.
        alerts: what PagerDuty has said of its incidents that hold alerts of this epoch, the latest of them.
        acknowledged_when: when the acknowledgement was made, ms by the clock of whoever made it; None: not known.
        untold: notes that receivers have not been told of, cut, oldest first.
        untold_more: number of further notes that receivers have not been told of.
        rose_hidden: whether its severity rose while maintenance or a mute hid it.
        share, share_since: the failing share that receivers know of (0-1), and since when its scope is the same.
        share_told_at: T (ms) at which receivers were told of a rise of that share; None: never in this epoch.
        noted_at: T (ms) at which receivers were told of notes last; None: never in this epoch.
    """

    incident: Incident
    level: Level
    active_for: int = 0
    began_at: int = 0
    growth: Growth | None = None
    peak_users: int = 0
    scopes: list[str]
    resume: Literal["open", "acknowledged"] = "open"
    fired: bool = False
    fired_at: int
    quiet_for: int = 0
    relapses: int = 0
    succeeded: bool = False
    wider_for: int = 0
    alone_on: str | None = None
    alone_for: int = 0
    pageable_since: int | None = None
    rung: list[str] = []
    woken_again: bool = False
    spoke_at: int
    scope_notified: str
    scope_notified_at: int | None = None
    held: bool = False
    merged: bool = False
    unseen_for: int = 0
    silent_for: int = 0
    usual: dict[str, str] = {}
    alerts: dict[str, AlertState] = {}
    acknowledged_when: int | None = None
    untold: list[Note] = []
    untold_more: int = 0
    noted_at: int | None = None
    rose_hidden: bool = False
    share: float = 0.0
    share_since: int = 0
    share_told_at: int | None = None

    @property
    def peak_severity(self) -> int:
        """The worst severity of the epoch: as it is now, or as it was observed or has stood."""
        return min(self.level.severity, self.level.peak)

    @property
    def is_open(self) -> bool:
        """Whether the incident is not resolved yet."""
        return self.incident.state in ("open", "acknowledged", "recovering")
