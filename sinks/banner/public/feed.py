"""How do readers of feeds learn what the public is told? By Atom (RFC 4287), with an entry for each outage."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree as Xml

from detectors.instants import format_instant
from sinks.banner.public.content import Planned, PublicIncident, PublicStatus
from sinks.banner.public.markup import headline_of

__all__ = ["render"]

_NAMESPACE = "http://www.w3.org/2005/Atom"
_ID = "urn:watchofficer:status"


def render(status: PublicStatus) -> bytes:
    """Return the feed. An entry keeps its id for as long as what it tells lasts, and is newer when more is told."""
    feed = Xml.Element("feed", xmlns=_NAMESPACE)
    changed = [one.entries[0][0] for one in status.incidents]
    _add(feed, "id", _ID)
    _add(feed, "title", "Sign-in status")
    _add(feed, "subtitle", headline_of(status))
    latest = max((at for at in (*changed, status.reported_at) if at is not None), default=status.at)
    _add(feed, "updated", format_instant(latest))
    Xml.SubElement(Xml.SubElement(feed, "author"), "name").text = "watchofficer"
    for one in status.incidents:
        feed.append(_incident(one))
    for planned in status.planned:
        feed.append(_maintenance(planned))
    body: bytes = Xml.tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _add(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = text


def _incident(one: PublicIncident) -> Xml.Element:
    entry = Xml.Element("entry")
    _add(entry, "id", f"{_ID}:{quote(one.key, safe=':')}")
    _add(entry, "title", f"{one.title}: {one.status}")
    _add(entry, "published", format_instant(one.began_at))
    _add(entry, "updated", format_instant(one.entries[0][0]))
    _add(entry, "content", "\n".join(f"{format_instant(at)} {text}" for at, text in one.entries))
    return entry


def _maintenance(one: Planned) -> Xml.Element:
    entry = Xml.Element("entry")
    _add(entry, "id", f"{_ID}:maintenance:{one.start}:{quote(one.title, safe='')}")
    _add(entry, "title", f"{one.title}: maintenance")
    _add(entry, "updated", format_instant(one.start))
    _add(entry, "content", f"From {format_instant(one.start)} to {format_instant(one.end)}.")
    return entry
