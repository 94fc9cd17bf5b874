"""Which JSON lines does `replay` print for a verdict?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from detectors.incidents import Command, Transition
from detectors.instants import format_instant, parse_instant
from detectors.notices.notices import Notice
from detectors.process.covers import Cover
from detectors.process.deploys import Deploy
from sinks.banner.banner import Banner

__all__ = [
    "banner_object",
    "cover_object",
    "notice_object",
    "notify_object",
    "read_cover",
    "read_deploy",
    "transition_object",
]


_INSTANTS_OF_COVERS = ("start", "end", "said_at", "begun")


def transition_object(transition: Transition) -> dict[str, object]:
    """Return the ``transition`` object of a transition."""
    after = transition.incident
    return {
        "type": "transition",
        "at": format_instant(transition.at),
        "incident": after.id,
        "scope": after.scope,
        "from": transition.from_state,
        "to": after.state,
        "severity": after.severity,
        "peak_severity": after.peak_severity,
        "basis": after.basis,
        "users_impacted": after.users_impacted,
        **(
            {}
            if after.users_impacted_error is UNSET
            else {"users_impacted_error": after.users_impacted_error}
        ),
        "causes": list(after.causes),
        "reason": transition.reason,
    }


def notify_object(command: Command) -> dict[str, object]:
    """Return the ``notify`` object of a command to a receiver."""
    return {
        "type": "notify",
        "at": format_instant(command.at),
        "sink": command.sink,
        "action": command.action,
        "level": command.level,
        "incident": command.incident_id,
        "epoch": command.epoch,
        "dedup_key": command.dedup_key,
    }


def notice_object(notice: Notice) -> dict[str, object]:
    """Return the ``notice`` object of something that wakes nobody."""
    return {
        "type": "notice",
        "at": format_instant(notice.at),
        "kind": notice.kind,
        "env": notice.env,
        "field": notice.field,
        "value": notice.value,
        "count": notice.count,
        "text": notice.text,
        **({} if notice.cover is None else {"cover": cover_object(notice.cover)}),
        **({} if notice.deploy is None else {"deploy": deploy_object(notice.deploy)}),
    }


def deploy_object(deploy: Deploy) -> dict[str, object]:
    """Return a deploy with its instant in RFC 3339; ``read_deploy`` reads it."""
    return {**msgspec.to_builtins(deploy), "at": format_instant(deploy.at)}


def read_deploy(found: Mapping[str, Any]) -> Deploy:
    """Return the deploy of a notice.

    Raises:
        ValueError: it is none.
    """
    return msgspec.convert({**found, "at": parse_instant(str(found.get("at")))}, Deploy)


def cover_object(cover: Cover) -> dict[str, object]:
    """Return a mute, maintenance or correction with its instants in RFC 3339."""
    found: dict[str, object] = msgspec.to_builtins(cover)
    for name in _INSTANTS_OF_COVERS:
        at = getattr(cover, name)
        found[name] = None if at is None else format_instant(at)
    return found


def read_cover(value: Mapping[str, Any]) -> Cover:
    """Return the mute, maintenance or correction of an object that ``cover_object`` made.

    Raises:
        ValueError: it is none.
    """
    told = dict(value)
    for name in _INSTANTS_OF_COVERS:
        if isinstance(told.get(name), str):
            told[name] = parse_instant(told[name])
    return msgspec.convert(told, Cover)


def banner_object(banner: Banner) -> dict[str, object]:
    """Return the ``banner`` object of a change of a banner."""
    return {
        "type": "banner",
        "at": format_instant(banner.version),
        "key": banner.key,
        "status": banner.state,
        "incident": banner.incident_id,
    }
