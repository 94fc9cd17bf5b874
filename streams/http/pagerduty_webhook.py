"""PagerDuty's webhooks (version 3): what a responder did there, as an input of ours.

Deliveries are signed, come at least once and in any order, and carry no time of signing. A repeat is
recognised by its id, which becomes the input's; one that speaks of an earlier epoch of an incident is left
alone.
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
# What follows the prefix in `{prefix}:{incident}:{epoch}` and `{prefix}:{incident}:{epoch}:s{severity}`.
_KEY = re.compile(
    r"(?P<incident>(?P<env>prod|staging|dev|localhost)-[1-9][0-9]{0,17}):(?P<epoch>[0-9]{1,9})(:s[123])?"
)
_REMEMBERED = 1_000

Lookup = Callable[[str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Ignored:
    """A delivery that asks nothing of us, and why."""

    reason: str


@dataclass(frozen=True)
class _Alert:
    env: str
    incident: str
    epoch: int


def is_signed(secret: SecretStr, body: bytes, header: str) -> bool:
    """Whether one of the signatures in ``X-PagerDuty-Signature`` is ours.

    While a secret is being changed there are several, ``v1=<hex>, v1=<hex>``. All are compared, each in
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
    """Which of our alerts a PagerDuty incident is about, as far as webhooks have told.

    A note's webhook names PagerDuty's incident only, without our key; an earlier webhook of that incident has
    shown both. The last thousand are remembered.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def learn(self, incident: str, key: str) -> None:
        """``incident`` (PagerDuty's id) goes by our dedup key ``key``."""
        self._keys.pop(incident, None)
        self._keys[incident] = key
        if len(self._keys) > _REMEMBERED:
            del self._keys[next(iter(self._keys))]

    def key(self, incident: str) -> str | None:
        """Our dedup key, None if no webhook has told it."""
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
    """What a delivery, whose signature is good, asks for.

    Args:
        body: as it came.
        delivery: the header ``X-Webhook-Id``, which a repeated delivery repeats.
        prefix: of our dedup keys.
        lookup: our incident of an id, as last written; None if it is not known here.
        known: is taught what this delivery tells.
        now: ms.

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
    """Every place where our dedup key may stand: the incident's own key first, then those of its alerts."""
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
    """Whether an integration did it. Only the key that opened an alert reaches it, so at ours that is ourselves."""
    agent = event.get("agent")
    return isinstance(agent, dict) and "inbound_integration" in _text(agent, "type")


def _agent(event: dict[str, Any]) -> str:
    agent = event.get("agent")
    name = _text(agent, "summary") if isinstance(agent, dict) else ""
    return f"PagerDuty: {name.strip()}"[:NAME_LIMIT] if name.strip() else "PagerDuty"


def _id(delivery: str, body: bytes) -> str:
    """The delivery's id; where there is none that can be kept, the body itself says what is a repeat."""
    if 1 <= len(delivery) <= ID_LIMIT and delivery.isascii() and delivery.isprintable():
        return delivery
    return hashlib.sha256(body).hexdigest()


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
