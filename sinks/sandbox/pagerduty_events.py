"""Which events does PagerDuty's Events API v2 refuse, and why?"""

from __future__ import annotations

from typing import Any

from detectors.instants import parse_instant

__all__ = ["fault_of"]


def fault_of(event: Any, routing_key: str | None) -> str | None:
    """The reason why a decoded event is refused, by the vendor's documentation; None if it is accepted.

    Args:
        event: the body of a request.
        routing_key: the only accepted key; without it any key of 32 characters is accepted.
    """
    if not isinstance(event, dict):
        return "the event is no object"
    key, action, dedup = event.get("routing_key"), event.get("event_action"), event.get("dedup_key")
    if not isinstance(key, str) or len(key) != 32 or (routing_key is not None and key != routing_key):
        return "invalid routing key"
    if action not in ("trigger", "acknowledge", "resolve"):
        return "event_action must be trigger, acknowledge or resolve"
    if dedup is not None and (not isinstance(dedup, str) or len(dedup) > 255):
        return "dedup_key must be a string of at most 255 characters"
    if action != "trigger":
        if not dedup:
            return f"{action} needs a dedup_key"
        extra = set(event) - {"routing_key", "dedup_key", "event_action"}
        return f"{action} carries no {', '.join(sorted(extra))}" if extra else None
    return _payload_fault(event.get("payload")) or _links_fault(event)


def _payload_fault(payload: Any) -> str | None:
    if not isinstance(payload, dict):
        return "trigger needs a payload"
    summary = payload.get("summary")
    if not isinstance(summary, str) or not 1 <= len(summary) <= 1024:
        return "payload.summary must have 1 to 1,024 characters"
    if not isinstance(payload.get("source"), str) or not payload["source"]:
        return "payload.source is required"
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        return "payload.severity must be critical, error, warning or info"
    for name in ("component", "group", "class"):
        if not isinstance(payload.get(name, ""), str):
            return f"payload.{name} must be a string"
    if not isinstance(payload.get("custom_details", {}), dict):
        return "payload.custom_details must be an object"
    try:
        if "timestamp" in payload:
            parse_instant(payload["timestamp"])
    except (TypeError, ValueError):
        return "payload.timestamp must be ISO 8601"
    return None


def _links_fault(event: dict[str, Any]) -> str | None:
    for link in event.get("links", []):
        if not isinstance(link, dict) or not str(link.get("href", "")).startswith(("http://", "https://")):
            return "a link needs an href"
    for image in event.get("images", []):
        if not isinstance(image, dict) or not str(image.get("src", "")).startswith("https://"):
            return "an image needs an https src"
    return None
