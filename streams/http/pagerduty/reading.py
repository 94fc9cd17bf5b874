"""Which incident inputs does a PagerDuty webhook (version 3) stand for, when a responder has acted in PagerDuty?

Deliveries are signed, arrive at least once and in any order, and carry no time of signing. A repeated delivery has
an equal id, which becomes the id of the incident input; what happened, and when, goes with it, and the life cycle
decides what still counts. One incident of PagerDuty's may hold alerts of several incidents of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec
from pydantic import SecretStr

from detectors.bounds import LINK_BYTES, fits
from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.lifecycle.people.alerts import NOBODY
from detectors.process.alert_news import AlertNews
from sinks.receivers.pagerduty.wording import NOTE_MARK
from sinks.wording import one_line
from streams.http.pagerduty.alerts import AlertIndex
from streams.records.models import ID_LIMIT, NAME_LIMIT, TEXT_LIMIT

__all__ = ["Ignored", "Unknown", "is_signed", "read_webhook"]

Kind = Literal["acknowledge", "unacknowledge", "note", "resolve", "linked", "merge", "auto_resolve", "reopen"]

_KINDS: Mapping[str, Kind] = {
    "incident.triggered": "linked",
    "incident.acknowledged": "acknowledge",
    "incident.unacknowledged": "unacknowledge",
    "incident.resolved": "resolve",
    "incident.reopened": "reopen",
    "incident.annotated": "note",
}
#: Events that change nothing here and are told: how their text begins.
_TOLD: Mapping[str, str] = {
    "incident.reassigned": "Reassigned in PagerDuty",
    "incident.escalated": "Escalated in PagerDuty",
    "incident.delegated": "Delegated in PagerDuty",
    "incident.priority_updated": "The priority in PagerDuty was changed",
    "incident.status_update_published": "Status update in PagerDuty",
    "incident.responder.added": "A responder was asked for in PagerDuty",
    "incident.responder.replied": "A responder replied in PagerDuty",
    "incident.role.assigned": "A role was assigned in PagerDuty",
}
# `{prefix}:{incident}:{epoch}`, with what follows for further alerts of the epoch.
_KEY = re.compile(
    r"(?P<prefix>[A-Za-z0-9._-]{1,48}):(?P<incident>(?P<env>[a-z0-9_.:-]{1,64})-[1-9][0-9]{0,17}):(?P<epoch>[0-9]{1,9})"
    r"(:s[123]|:r[1-9][0-9]?|:breach)?",
    re.ASCII,
)

Lookup = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Ignored:
    """A delivery that makes no incident input, with the reason."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """A delivery about an incident of PagerDuty's of which nothing says yet which alerts it holds."""

    incident: str


@dataclass(frozen=True)
class _Alert:
    key: str
    env: str
    incident: str
    epoch: int


def is_signed(secret: SecretStr, body: bytes, header: str) -> bool:
    """Return whether one of the signatures in ``X-PagerDuty-Signature`` was made with ``secret``.

    While a secret is being replaced the header holds several, ``v1=<hex>, v1=<hex>``. All are compared, each in
    constant time.
    """
    wanted = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest().encode()
    found = False
    for part in header.split(","):
        version, _, signature = part.strip().partition("=")
        given = signature.strip().lower().encode("utf-8", "surrogatepass")
        found |= version == "v1" and hmac.compare_digest(given, wanted)
    return found


def read_webhook(
    body: bytes,
    *,
    delivery: str | None,
    prefix: str,
    lookup: Lookup,
    known: AlertIndex,
    now: int,
) -> tuple[IncidentInput, ...] | Ignored | Unknown:
    """Read a delivery whose signature is valid; return the incident inputs that it stands for, or why there is none.

    Args:
        body: the body of the request.
        delivery: the header ``X-Webhook-Id``, which is equal in a repeated delivery.
        prefix: what the dedup keys of this deployment begin with; an incident may have opened with another.
        lookup: returns the incident with an id as it was last written; None if the incident is unknown.
        known: which alerts PagerDuty's incidents hold; receives what the delivery states.
        now: the present, ms.

    Raises:
        ValueError: the body is no webhook.
    """
    event = _event(body)
    name = _text(event, "event_type")
    if name == "pagey.ping":
        return Ignored("ping")
    data = event.get("data")
    if not isinstance(data, dict):
        raise ValueError("event.data must be an object")
    kind = _kind(name, event, data)
    if kind is None:
        return Ignored(f"{name or 'an event without a type'} changes nothing here")
    reference = data.get("incident")
    theirs = _short(_text(reference if isinstance(reference, dict) else data, "id"))
    ours = partial(_parse, prefix=prefix, lookup=lookup)
    alerts = _alerts((*_keys(data), *(known.keys(theirs) if theirs is not None else ())), ours)
    if not alerts:
        return Ignored("no alert of ours") if theirs is None else Unknown(theirs)
    if kind != "linked" and _is_integration(event):
        return Ignored("our own request has come back")
    if name == "incident.annotated" and _text(data, "content").startswith(NOTE_MARK):
        return Ignored("our own note has come back")
    current = [alert for alert in alerts if kind == "note" or not _is_past(alert, lookup)]
    if not current:
        return Ignored("of an earlier epoch of the incident")
    named = [key for key in _keys(data) if ours(key) is not None]
    if theirs is not None and named:
        known.learn(theirs, *named)
    id_ = _id(delivery or _text(event, "id"), body)
    return tuple(
        msgspec.structs.replace(
            _input(event, data, kind, alert, theirs),
            id=id_ if place == 0 else _further(id_, alert),
            at=now,
        )
        for place, alert in enumerate(current)
    )


def _input(
    event: dict[str, Any], data: dict[str, Any], kind: Kind, alert: _Alert, theirs: str | None
) -> IncidentInput:
    """The input for one of our alerts, without an id and the instant of its arrival."""
    return IncidentInput(
        id="",
        env=alert.env,
        kind=kind,
        incident=alert.incident,
        by=_agent(event),
        via="pagerduty",
        text=_words(_text(event, "event_type"), kind, data),
        alert=AlertNews(
            dedup_key=alert.key,
            incident=theirs,
            into=_merged_into(data) if kind == "merge" else None,
            url=_url(data),
            occurred_at=_instant(event),
        ),
    )


def _kind(name: str, event: dict[str, Any], data: dict[str, Any]) -> Kind | None:
    if name in _TOLD:
        return "note"
    kind = _KINDS.get(name)
    if kind == "resolve":
        if _merged_into(data) is not None or _reason(data) == "merge_resolve_reason":
            return "merge"
        if not _is_person(event) and not _is_integration(event):
            return "auto_resolve"
    return kind


def _reason(data: dict[str, Any]) -> str:
    reason = data.get("resolve_reason")
    return _text(reason, "type") if isinstance(reason, dict) else ""


def _merged_into(data: dict[str, Any]) -> str | None:
    """PagerDuty's id of the incident into which a merge has moved the alerts; None where the delivery tells of none."""
    reason = data.get("resolve_reason")
    target = reason.get("incident") if isinstance(reason, dict) else None
    merged = isinstance(target, dict) and _reason(data) == "merge_resolve_reason"
    return _short(_text(target, "id")) if merged and isinstance(target, dict) else None


def _alerts(keys: Iterable[str], ours: Callable[[str], _Alert | None]) -> list[_Alert]:
    """The alerts of ours among those with these keys, one for each incident of ours: the latest epoch's first one."""
    found: dict[str, _Alert] = {}
    for alert in map(ours, keys):
        if alert is not None and (alert.incident not in found or found[alert.incident].epoch < alert.epoch):
            found[alert.incident] = alert
    return list(found.values())


def _is_past(alert: _Alert, lookup: Lookup) -> bool:
    ours = lookup(alert.incident)
    epoch = ours.get("epoch") if ours is not None else None
    return isinstance(epoch, int) and epoch > alert.epoch


def _words(name: str, kind: Kind, data: dict[str, Any]) -> str:
    """The text of a note: what a person wrote, or what happened in PagerDuty."""
    if kind != "note":
        return ""
    if name not in _TOLD:
        return _text(data, "content")[:TEXT_LIMIT] or "(an empty note)"
    assignees = data.get("assignees")
    named = [data.get("priority"), data.get("user"), *(assignees if isinstance(assignees, list) else ())]
    details = [_text(one, "summary") for one in named if isinstance(one, dict)] + [_text(data, "message")]
    told = ", ".join(one_line(detail) for detail in details if detail.strip())
    return (f"{_TOLD[name]}: {told}" if told else f"{_TOLD[name]}.")[:TEXT_LIMIT]


def _url(data: dict[str, Any]) -> str | None:
    url = _text(data, "html_url")
    wanted = url.startswith("https://") and url.isascii() and url.isprintable() and " " not in url
    return url if wanted and fits(url, LINK_BYTES) else None


def _instant(event: dict[str, Any]) -> int | None:
    """When it happened, ms; None where the delivery does not say."""
    try:
        return parse_instant(_text(event, "occurred_at"))
    except ValueError:
        return None


def _short(name: str) -> str | None:
    """An id of PagerDuty's; None for what can be none."""
    return name if 1 <= len(name) <= ID_LIMIT and name.isascii() and name.isprintable() else None


def _further(id_: str, alert: _Alert) -> str:
    """The id of the input for a further incident of ours, which is the same in a repeated delivery."""
    return hashlib.sha256(f"{id_} {alert.incident}".encode()).hexdigest()


def _event(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ValueError:
        raise ValueError("not JSON") from None
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, dict):
        raise ValueError("event must be an object")
    return event


def _keys(data: dict[str, Any]) -> Iterator[str]:
    """Yield all strings in which a dedup key may stand: the incident's own key first, then those of its alerts."""
    found = [_text(data, "incident_key")]
    reference = data.get("incident")
    if isinstance(reference, dict):
        found.append(_text(reference, "incident_key"))
    alerts = data.get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        if isinstance(alert, dict):
            found += [_text(alert, "alert_key"), _text(alert, "dedup_key")]
    yield from (key for key in found if key)


def _parse(key: str, prefix: str, lookup: Lookup) -> _Alert | None:
    """The alert of ours with a key; None where neither the policy nor its incident begins keys like that."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    begins = match["prefix"]
    is_ours = begins == prefix or (lookup(match["incident"]) or {}).get("key_prefix") == begins
    return _Alert(key, match["env"], match["incident"], int(match["epoch"])) if is_ours else None


def _is_integration(event: dict[str, Any]) -> bool:
    """Return whether an integration caused the event.

    Only the integration key that opened an alert can change the alert, so for alerts of this deployment the
    integration is this deployment.
    """
    agent = event.get("agent")
    return isinstance(agent, dict) and "inbound_integration" in _text(agent, "type")


def _is_person(event: dict[str, Any]) -> bool:
    """Return whether a person caused the event: PagerDuty itself has no agent, automation one of another type."""
    agent = event.get("agent")
    return isinstance(agent, dict) and _text(agent, "type") in ("", "user", "user_reference")


def _agent(event: dict[str, Any]) -> str:
    agent = event.get("agent")
    name = one_line(_text(agent, "summary")) if isinstance(agent, dict) else ""
    return f"PagerDuty: {name}"[:NAME_LIMIT] if name else NOBODY


def _id(delivery: str, body: bytes) -> str:
    """Return the delivery's id, or a digest of the body if the id is missing or cannot be stored."""
    if 1 <= len(delivery) <= ID_LIMIT and delivery.isascii() and delivery.isprintable():
        return delivery
    return hashlib.sha256(body).hexdigest()


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
