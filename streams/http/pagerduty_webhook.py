"""Which incident input does a PagerDuty webhook (version 3) stand for, when a responder has acted in PagerDuty?

Deliveries are signed, arrive at least once and in any order, and carry no time of signing. A repeated delivery has
an equal id, which becomes the id of the incident input. A delivery about an earlier epoch of an incident is ignored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from pydantic import SecretStr

from detectors.incidents import IncidentInput
from streams.records.models import ID_LIMIT, NAME_LIMIT, TEXT_LIMIT

__all__ = ["Ignored", "PagerDutyIncidents", "is_signed", "read_webhook"]

Kind = Literal["acknowledge", "unacknowledge", "note", "resolve"]

_KINDS: Mapping[str, Kind] = {
    "incident.acknowledged": "acknowledge",
    "incident.unacknowledged": "unacknowledge",
    "incident.resolved": "resolve",
    "incident.annotated": "note",
}
# Matches the part after the prefix in `{prefix}:{incident}:{epoch}` and `{prefix}:{incident}:{epoch}:s{severity}`.
_KEY = re.compile(
    r"(?P<incident>(?P<env>prod|staging|dev|localhost)-[1-9][0-9]{0,17}):(?P<epoch>[0-9]{1,9})(:s[123])?"
)
_REMEMBERED = 1_000

Lookup = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Ignored:
    """A delivery that makes no incident input, with the reason."""

    reason: str


@dataclass(frozen=True)
class _Alert:
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


class PagerDutyIncidents:
    """The dedup key of each PagerDuty incident, as far as webhooks have stated it.

    The webhook of a note names PagerDuty's incident only, without the dedup key; an earlier webhook of that incident
    stated both. The last thousand incidents are kept.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def learn(self, incident: str, key: str) -> None:
        """Store that ``incident`` (PagerDuty's id) has the dedup key ``key``."""
        self._keys.pop(incident, None)
        self._keys[incident] = key
        if len(self._keys) > _REMEMBERED:
            del self._keys[next(iter(self._keys))]

    def key(self, incident: str) -> str | None:
        """Return the dedup key of ``incident`` (PagerDuty's id); None if no webhook has stated it."""
        return self._keys.get(incident)


def read_webhook(
    body: bytes,
    *,
    delivery: str | None,
    prefix: str,
    lookup: Lookup,
    known: PagerDutyIncidents,
    now: int,
) -> IncidentInput | Ignored:
    """Read a delivery whose signature is valid; return the incident input that it stands for, or why there is none.

    Args:
        body: the body of the request.
        delivery: the header ``X-Webhook-Id``, which is equal in a repeated delivery.
        prefix: the prefix of this deployment's dedup keys.
        lookup: returns the incident with an id as it was last written; None if the incident is unknown.
        known: receives the pair of PagerDuty incident and dedup key, if the delivery states both.
        now: the present, ms.

    Raises:
        ValueError: the body is no webhook.
    """
    event = _event(body)
    kind_name = _text(event, "event_type")
    if kind_name == "pagey.ping":
        return Ignored("ping")
    data = event.get("data")
    if not isinstance(data, dict):
        raise ValueError("event.data must be an object")
    alert = _alert(data, prefix, known)
    kind = _KINDS.get(kind_name)
    if kind is None:
        return Ignored(f"{kind_name or 'an event without a type'} changes nothing here")
    if alert is None:
        return Ignored("no alert of ours")
    if _is_integration(event):
        return Ignored("our own request has come back")
    ours = lookup(alert.incident)
    epoch = ours.get("epoch") if ours is not None else None
    if isinstance(epoch, int) and epoch > alert.epoch:
        return Ignored("of an earlier epoch of the incident")
    return IncidentInput(
        id=_id(delivery or _text(event, "id"), body),
        env=alert.env,
        kind=kind,
        incident=alert.incident,
        by=_agent(event),
        via="pagerduty",
        text=_text(data, "content")[:TEXT_LIMIT] if kind == "note" else "",
        at=now,
    )


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


def _alert(data: dict[str, Any], prefix: str, known: PagerDutyIncidents) -> _Alert | None:
    reference = data.get("incident")
    theirs = _text(reference if isinstance(reference, dict) else data, "id")
    for key in _keys(data):
        alert = _parse(key, prefix)
        if alert is not None:
            if theirs:
                known.learn(theirs, key)
            return alert
    remembered = known.key(theirs)
    return None if remembered is None else _parse(remembered, prefix)


def _keys(data: dict[str, Any]) -> Iterator[str]:
    """Yield all strings in which a dedup key may stand: the incident's own key first, then those of its alerts."""
    yield _text(data, "incident_key")
    reference = data.get("incident")
    if isinstance(reference, dict):
        yield _text(reference, "incident_key")
    alerts = data.get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        if isinstance(alert, dict):
            yield _text(alert, "alert_key")
            yield _text(alert, "dedup_key")


def _parse(key: str, prefix: str) -> _Alert | None:
    match = _KEY.fullmatch(key.removeprefix(prefix + ":")) if key.startswith(prefix + ":") else None
    return None if match is None else _Alert(match["env"], match["incident"], int(match["epoch"]))


def _is_integration(event: dict[str, Any]) -> bool:
    """Return whether an integration caused the event.

    Only the integration key that opened an alert can change the alert, so for alerts of this deployment the
    integration is this deployment.
    """
    agent = event.get("agent")
    return isinstance(agent, dict) and "inbound_integration" in _text(agent, "type")


def _agent(event: dict[str, Any]) -> str:
    agent = event.get("agent")
    name = _text(agent, "summary") if isinstance(agent, dict) else ""
    return f"PagerDuty: {name.strip()}"[:NAME_LIMIT] if name.strip() else "PagerDuty"


def _id(delivery: str, body: bytes) -> str:
    """Return the delivery's id, or a digest of the body if the id is missing or cannot be stored."""
    if 1 <= len(delivery) <= ID_LIMIT and delivery.isascii() and delivery.isprintable():
        return delivery
    return hashlib.sha256(body).hexdigest()


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
