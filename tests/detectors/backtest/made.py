"""How do tests build outcomes and labels? Instants are minutes after an arbitrary noon."""

from __future__ import annotations

from typing import Any

from detectors.backtest.labels import Label
from detectors.backtest.outcomes import Outcome
from detectors.backtest.score import Score, score
from detectors.instants import MINUTE, parse_instant

NOON = parse_instant("2026-10-06T12:00:00Z")


def at(minutes: float) -> int:
    return NOON + round(minutes * MINUTE)


def label(scope: str = "prod/ssoe", start: float = 10, end: float = 40, **more: Any) -> Label:
    """Return the label of an outage of severity 1 that must page."""
    fields: dict[str, Any] = {"kind": "outage", "severity": 1, "page": True} | more
    return Label(scope=scope, start=at(start), end=at(end), **fields)


def outcome(
    scope: str | tuple[tuple[float, str], ...] = "prod/ssoe",
    opened: float = 10.5,
    resolved: float | None = 55,
    *,
    incident: str = "prod-1",
    pages: tuple[float, ...] | None = None,
    severity: int | tuple[tuple[float, int], ...] = 1,
    **more: Any,
) -> Outcome:
    """Return the outcome of an incident that pages as it opens, or at the minutes in ``pages``."""
    scopes = ((opened, scope),) if isinstance(scope, str) else scope
    severities = ((opened, severity),) if isinstance(severity, int) else severity
    fields: dict[str, Any] = {
        "epoch": 0,
        "env": scopes[0][1].partition("/")[0],
        "causes": ("outage",),
        "sentence": "it fails",
        "resolved_reason": None if resolved is None else "recovered",
    } | more
    return Outcome(
        incident=incident,
        opened_at=at(opened),
        scopes=tuple((at(since), one) for since, one in scopes),
        severities=tuple((at(since), one) for since, one in severities),
        pages=tuple(at(one) for one in ((opened,) if pages is None else pages)),
        resolved_at=None if resolved is None else at(resolved),
        **fields,
    )


def scored(labels: list[Label], outcomes: list[Outcome], until: float = 240) -> Score:
    return score(labels, outcomes, at(0), at(until))
