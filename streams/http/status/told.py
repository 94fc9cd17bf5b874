"""What do the views tell the public?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from detectors.incidents import Incident
from detectors.instants import parse_instant
from detectors.policy.policy import Policy
from detectors.process.covers import Cover, occurrence
from detectors.process.record import Said
from sinks.banner.public import feed, markup
from sinks.banner.public.content import ENV, PublicStatus, public_status
from sinks.banner.public.states import concerns_states, state_incidents
from sinks.banner.statuses import Known, known
from streams.http.views import Views
from streams.records.models import decode_incident

__all__ = ["Pages", "pages_of", "told_of", "told_to_states"]

_OVER = ("resolved", "closed")
#: How far ahead maintenance that recurs is looked for, days.
_DAYS_AHEAD = 14


class Pages(msgspec.Struct, frozen=True):
    """The status page and its feed, as they are served or put into a folder."""

    page: bytes
    feed: bytes


def pages_of(views: Views, policy: Policy, now: int, *, is_known: bool) -> Pages:
    """Return the page and its feed.

    Args:
        views: what is known of the topics.
        policy: the policy.
        now: ms since the epoch.
        is_known: whether the watch gets on.
    """
    told = told_of(views, policy, now, is_known=is_known)
    objective = min((one.availability for one in policy.objectives.values()), default=1.0)
    page = markup.render(told, time_zone=policy.time_zone, objective=objective)
    return Pages(page, feed.render(told))


def told_of(views: Views, policy: Policy, now: int, *, is_known: bool) -> PublicStatus:
    """Return what the public is told; the arguments are those of ``pages_of``."""
    open_ones = [
        one
        for record in views.incidents()
        if record["state"] not in _OVER and (one := _decoded(record)) is not None
    ]
    return public_status(
        policy,
        known(views.banners(), now, ENV),
        open_ones,
        is_known=is_known,
        updates={one.id: _updates(views, one) for one in open_ones},
        planned=_planned(views, policy, now),
        days=views.days.days(now, policy.time_zone),
    )


def told_to_states(views: Views, policy: Policy, state: Known) -> dict[str, Any]:
    """Return what the people of some states are told (``sinks.banner.public.states``), by what ``state`` knows."""
    concerned = [
        one
        for record in views.incidents()
        if (record.get("process") or {}).get("states")
        and (one := _decoded(record)) is not None
        and concerns_states(one, state.now)
    ]
    return state_incidents(
        policy, state, concerned, updates={one.id: _updates(views, one) for one in concerned}
    )


def _decoded(record: dict[str, Any]) -> Incident | None:
    """The incident of a record of production; None too where it is of a form that this version does not know."""
    if record.get("env") != ENV:
        return None
    try:
        return decode_incident(msgspec.json.encode(record))
    except ValueError:
        return None


def _updates(views: Views, incident: Incident) -> list[Said]:
    """The updates by people of an incident, those that its log has and the last."""
    found = [
        Said(parse_instant(said["at"]), "", str(said["text"]), said.get("public") is True)
        for line in views.incident_log(incident.id)
        if line.get("type") == "update" and isinstance(said := (line.get("process") or {}).get("said"), dict)
    ]
    last = incident.process.said
    return found if last is None else [*found, Said(last.at, "", last.text, last.public)]


def _planned(views: Views, policy: Policy, now: int) -> Iterator[tuple[str, int, int]]:
    """Maintenance that people announced: the occurrence that is under way, and the next within two weeks."""
    for one in views.covers.all("maintenance"):
        if one["state"] == "ended":
            continue
        cover = Cover(
            id=str(one["id"]),
            kind="maintenance",
            scope=str(one["scope"]),
            start=parse_instant(one["start"]),
            end=parse_instant(one["end"]),
            recurs=one.get("recurs"),
            by="",
            text="",
            said_at=0,
        )
        if cover.recurs is None:
            yield cover.scope, cover.start, cover.end
            continue
        hours = range(_DAYS_AHEAD * 24)
        spans = (occurrence(cover, now + hour * 3_600_000, policy.time_zone) for hour in hours)
        span = next((span for span in spans if span is not None), None)
        if span is not None:
            yield cover.scope, *span
