"""How urgent the causes of an incident are: which of them are outages, and which wake nobody."""

from __future__ import annotations

from detectors.incidents import Incident

__all__ = ["WAKES_NOBODY", "is_outage", "is_serious"]

#: Findings that are told to Slack alone as long as nothing else fires: they wake nobody.
WAKES_NOBODY = frozenset({"surge", "latency"})


def is_serious(incident: Incident) -> bool:
    """Whether more than a surge of user errors or slowness stands behind it."""
    return not WAKES_NOBODY.issuperset(incident.causes)


def is_outage(incident: Incident) -> bool:
    """Whether a detector has found more than that; a person's word alone makes it serious, but no outage."""
    return not WAKES_NOBODY.union({"declared"}).issuperset(incident.causes)
