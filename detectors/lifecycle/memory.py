"""What the life cycle remembers of an open incident, and what it asks of a step."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol

import msgspec

from detectors.incidents import Counts, FindingState, Incident
from detectors.instants import MINUTE
from detectors.lifecycle.severity import Level
from detectors.windows.impact import Distinct

__all__ = ["COUNTS_WINDOW", "FOUND_IN_FAILURES", "IncidentMemory", "View"]

#: The window of the counts that an incident carries, ms.
COUNTS_WINDOW = 5 * MINUTE
#: What these find is no news when nobody has failed of late (``LifecyclePolicy.news``).
FOUND_IN_FAILURES = frozenset({"outage", "burn_rate"})


class View(Protocol):
    """What the life cycle may ask about the step it is in. ``at`` is its T, ms.

    ``frozen``: an input partition cannot be read. Incidents may open and rise then, but nothing resolves and
    no severity falls.
    """

    @property
    def at(self) -> int: ...

    @property
    def frozen(self) -> bool: ...

    def finding(self, scope: str, leaving_out: Collection[str] = ()) -> FindingState:
        """The state of all findings on a scope taken together, but for those of some detectors.

        What is no news (``LifecyclePolicy.news``) does not fire.
        """
        ...

    def counts(self, scope: str, window: int = COUNTS_WINDOW) -> Counts:
        """Counts of a scope in ``[T - window, T)``."""
        ...

    def people(self, scope: str, since: int) -> Distinct:
        """Distinct people with a bad event in ``[max(since, T - 1 h), T)``."""
        ...

    def people_recent(self, scope: str, since: int) -> Distinct:
        """The same in ``[max(since, T - severity.projection_window), T)``."""
        ...

    def first_bad(self, scope: str, since: int) -> int | None:
        """When the first bad event of ``[max(since, T - 1 h), T)`` happened; None without one."""
        ...

    def succeeded_since(self, scope: str, since: int) -> bool:
        """Whether a sign-in succeeded in ``[since, T)``, at most an hour back."""
        ...


class IncidentMemory(
    msgspec.Struct,
    kw_only=True,
    # Stored under the names that earlier versions wrote.
    rename={"scope_notified": "scope_notified", "scope_notified_at": "scope_notified_at"},
):
    """One incident and what its next step needs to know. Durations and instants in ms.

    Attributes:
        incident: as it stands.
        level: its severity, with the clocks of its fall.
        scopes: every scope that its findings were on: one of them again soon after is this incident again.
        resume: the state that a relapse goes back to.
        fired: whether a finding has fired in this epoch (not so for what only a person has declared).
        fired_at: when one fired last; the opening before that.
        quiet_for: time since then over which the findings were quiet; without evidence it stands still.
        relapses: in this epoch.
        succeeded: whether a sign-in has succeeded since ``fired_at``.
        wider_for: how long a wider cause has held beyond what it has not.
        alone_on, alone_for: the one narrower scope that fires, and for how long the incident's own was quiet.
        pageable_since: since when PagerDuty may hear of it.
        rung: the response clocks that have sounded in this epoch.
        woken_again: a page was made after the acknowledgement.
        spoke_at: the thread's last message.
        scope_notified, scope_notified_at: the scope that the thread knows, and since when; None for since its
        opening.
        held: a person has resolved it while findings fired, and they have not been quiet since.
        merged: it was resolved because another incident took it over; it never reopens.
    """

    incident: Incident
    level: Level
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

    @property
    def is_open(self) -> bool:
        """Not resolved yet."""
        return self.incident.state in ("open", "acknowledged", "recovering")
