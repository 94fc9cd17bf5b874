"""Which links have receivers returned, that the others show?"""

from __future__ import annotations

from sinks.receivers.answers import Receipts

__all__ = ["found_links"]

#: Name of a link -> the receiver that returns it, and where it stands in its receipt.
_PLACES = {
    "datadog": ("datadog", "event_url"),
    "datadog_incident": ("datadog", "incident_url"),
    "slack": ("slack", "permalink"),
}


def found_links(receipts: Receipts, besides: str = "") -> dict[str, str]:
    """The links of an incident that receivers have returned so far, by name (``sinks.wording.links_of``).

    Args:
        receipts: what they have returned.
        besides: a receiver that needs no link to itself.
    """
    known = {name: receipts(sink).get(key, "") for name, (sink, key) in _PLACES.items() if sink != besides}
    return {name: url for name, url in known.items() if url}
