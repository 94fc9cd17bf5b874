"""What does ``GET /login_gov_state_incidents`` answer, by which people of some states are told of outages?

An outage is told there that a person has declared for states, while it lasts, and for an hour as one that is over. It
has the words of the public status page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detectors.incidents import Incident
from detectors.instants import HOUR
from detectors.policy.policy import Policy
from detectors.process.record import Said
from sinks.banner.public.content import ENV, PUBLIC_TEXT
from sinks.banner.statuses import Known
from sinks.neutral import neutral_text
from sinks.receivers.statuspage.wording import sentence_of
from sinks.wording import EXERCISE, ScopeNames, capitalised

__all__ = ["OVER_FOR", "concerns_states", "state_incidents"]

#: How long an outage is told as over, ms.
OVER_FOR = HOUR
_LEVELS = {1: "error", 2: "warning"}
_OVER = ("resolved", "closed")


def concerns_states(incident: Incident, now: int) -> bool:
    """Whether people of some states are told of an incident at ``now`` (ms).

    It is of production, declared for states, hidden by nobody, not merged into another one, and not over for longer
    than ``OVER_FOR``.
    """
    over = incident.state in _OVER
    is_told = incident.env == ENV and incident.process.states and incident.declared_at is not None
    if not is_told or incident.is_hidden or (incident.resolved_reason or "").startswith("merged"):
        return False
    return not over or now - (incident.resolved_at or 0) < OVER_FOR


def state_incidents(
    policy: Policy, state: Known, incidents: Iterable[Incident], *, updates: Mapping[str, Sequence[Said]]
) -> dict[str, Any]:
    """Return the body of the answer, as JSON.

    Args:
        policy: has the names of what fails. One of an exercise tells nothing.
        state: of production; where it does not hold any more, nothing is told, as no banner is shown then.
        incidents: of any environment and state.
        updates: id of an incident -> updates by people, public ones and others.
    """
    names = ScopeNames(policy)
    is_told = state.holds and policy.notify.dedup_prefix != EXERCISE
    shown = [one for one in incidents if concerns_states(one, state.now)] if is_told else []
    told = [
        _told(one, names, updates.get(one.id, ()))
        for one in sorted(shown, key=lambda one: (one.state in _OVER, one.severity, -one.opened_at, one.id))
    ]
    return {"data": {"attributes": {"incidents": told}}}


def _told(incident: Incident, names: ScopeNames, updates: Sequence[Said]) -> dict[str, Any]:
    active = incident.state not in _OVER
    said = [one for one in updates if active and one.public and one.at >= incident.opened_at]
    last = max(said, key=lambda one: one.at, default=None)
    return {
        "id": incident.id,
        "active": active,
        "states": [*incident.process.states],
        "title": capitalised(names.words(incident.scope)),
        "message": sentence_of(incident, names) if last is None else neutral_text(last.text)[:PUBLIC_TEXT],
        "status": _LEVELS.get(incident.severity, "info") if active else "info",
    }
