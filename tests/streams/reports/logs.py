"""Lines of an incident log, written by hand."""

from __future__ import annotations

from typing import Any

from detectors.instants import MINUTE, format_instant, parse_instant

__all__ = ["AT", "incident", "line"]

#: A Tuesday, 10:00 in Washington.
AT = parse_instant("2026-11-10T15:00:00Z")


def line(kind: str, minutes: float, incident: str = "prod-1", **more: Any) -> dict[str, Any]:
    """A line of the log, so many minutes after ``AT``."""
    return {
        "type": kind,
        "at": format_instant(AT + round(minutes * MINUTE)),
        "incident": incident,
        "scope": "prod/ssoe",
        "to": "open",
        "severity": 2,
        "peak_severity": 2,
        "users_impacted": 120,
        "causes": ["outage"],
        "reason": "It was so.",
        "epoch": 0,
        "page": None,
        "policy_hash": "abc",
        **more,
    }


def incident(
    name: str, begin: float, *, acked: float | None, over: float, **more: Any
) -> list[dict[str, Any]]:
    """An incident that opens a minute after its first failure, pages, and is acknowledged and resolved (minutes)."""
    first_bad = format_instant(AT + round((begin - 1) * MINUTE))
    page = {"dedup_key": f"watchofficer:{name}:0", "level": "error"}
    lines = [line("opened", begin, name, first_bad_at=first_bad, page=page, **more)]
    if acked is not None:
        lines.append(line("acknowledged", begin + acked, name, by="Ada", **more))
    return [*lines, line("resolved", begin + over, name, reason="All is quiet.", **more)]
