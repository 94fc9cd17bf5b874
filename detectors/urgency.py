"""How urgent are the causes of an incident: which of them are outages, and which wake nobody?"""

from __future__ import annotations

from detectors.incidents import Incident

__all__ = ["WAKES_NOBODY", "is_outage", "is_serious", "is_silence"]

#: Findings that notify Slack alone as long as nothing else fires: they wake nobody.
WAKES_NOBODY = frozenset({"surge", "latency"})


def is_serious(incident: Incident) -> bool:
    """Whether an incident has a cause other than a surge or slowness."""
    return not WAKES_NOBODY.issuperset(incident.causes)


def is_outage(incident: Incident) -> bool:
    """Whether a detector has found a cause other than a surge or slowness. A person's declaration alone makes an
    incident serious, but no outage.
    """
    return not WAKES_NOBODY.union({"declared"}).issuperset(incident.causes)


def is_silence(incident: Incident) -> bool:
    """Whether no detector has found anything that may wake somebody but silences."""
    return "silence" in incident.causes and {"silence", "declared", *WAKES_NOBODY}.issuperset(incident.causes)
