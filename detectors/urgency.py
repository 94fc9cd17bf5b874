"""How urgent are the causes of an incident: which of them are outages, and which wake nobody?"""

from __future__ import annotations

from detectors.incidents import Incident

__all__ = ["STATED", "WAKES_NOBODY", "is_lasting_slowness", "is_outage", "is_serious", "is_silence"]

#: Causes that notify Slack alone as long as nothing else fires: they wake nobody. A person's report within business
#: hours is one of them, as others are at work to weigh it; outside of them it is ``urgent``, and pages.
WAKES_NOBODY = frozenset({"surge", "latency", "reported"})
#: Causes that a person has stated, and no detector has found.
STATED = frozenset({"declared", "urgent", "reported"})


def is_serious(incident: Incident) -> bool:
    """Whether an incident has a cause that may wake somebody."""
    return not WAKES_NOBODY.issuperset(incident.causes)


def is_outage(incident: Incident) -> bool:
    """Whether a detector has found a cause other than a surge or slowness. A person's declaration or report alone makes
    an incident serious, but no outage.
    """
    return not WAKES_NOBODY.union(STATED).issuperset(incident.causes)


def is_lasting_slowness(incident: Incident) -> bool:
    """Whether nothing but slowness is found, which has lasted so long that the policy has declared it: it pages."""
    return "latency" in incident.causes and incident.declared_by == "policy" and not is_serious(incident)


def is_silence(incident: Incident) -> bool:
    """Whether no detector has found anything that may wake somebody but silences."""
    return "silence" in incident.causes and {"silence", *STATED, *WAKES_NOBODY}.issuperset(incident.causes)
