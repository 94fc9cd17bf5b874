"""Which maintenance windows of PagerDuty's are maintenance here? Those of services that the settings give a scope.

Each window is announced once for each of its scopes, by the act that people have too, and ended here when it is
changed or taken back there. The text of the announcement names the window, so that it is recognised afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from detectors.incidents import IncidentInput
from detectors.instants import MINUTE, parse_instant
from detectors.lifecycle.conduct.covering import LASTS_AT_MOST
from detectors.process.covers import Cover

__all__ = ["Window", "inputs_of", "windows_in"]

log = structlog.get_logger(__name__)

_DESCRIPTION = 200
_NAME = 80
_MARK = "PagerDuty maintenance "


class Window(NamedTuple):
    """A window on one scope: PagerDuty's id of it, its span (ms), why, and who made it."""

    id: str
    scope: str
    start: int
    end: int
    why: str
    by: str

    @property
    def mark(self) -> str:
        """How the announcement here names it."""
        return f"{_MARK}{self.id}"


def windows_in(listed: Sequence[Any], scopes: Mapping[str, str]) -> Iterator[Window]:
    """The windows of an answer of ``GET /maintenance_windows``; what has no such form is passed by.

    Args:
        listed: the list in the answer.
        scopes: id of a service -> scope.
    """
    for one in listed:
        try:
            start, end = parse_instant(one["start_time"]), parse_instant(one["end_time"])
            services = [str(service["id"]) for service in one["services"]]
            maker = one.get("created_by")
            by = maker.get("summary") if isinstance(maker, dict) else None
            why = str(one.get("description") or one.get("summary") or "no reason is given")[:_DESCRIPTION]
            identity = str(one["id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if not identity.isalnum():
            continue
        if not 0 < end - start <= LASTS_AT_MOST:
            log.warning(
                "pagerduty_window_left_out", window=identity, why="it is longer than maintenance may last"
            )
            continue
        for scope in sorted({scopes[service] for service in services if service in scopes}):
            yield Window(identity, scope, start, end, why, str(by or "PagerDuty")[:_NAME])


def inputs_of(
    windows: list[Window], standing: list[Cover], scopes: Mapping[str, str], now: int
) -> Iterator[IncidentInput]:
    """What to ask for so that the maintenance here is that of PagerDuty.

    Args:
        windows: those that are open or to come there.
        standing: the maintenance that stands here; that which people announced here is left alone.
        scopes: id of a service -> scope; what was announced for other scopes is left alone.
        now: ms.
    """
    ours = {
        (one.text.partition(_MARK)[2].partition(":")[0], one.scope): one
        for one in standing
        if one.text.startswith(_MARK) and one.scope in scopes.values()
    }
    wanted = {(one.id, one.scope): one for one in windows if one.end > now + MINUTE}
    for place, cover in ours.items():
        window = wanted.get(place)
        if window is None or (window.start, window.end) != (cover.start, cover.end):
            yield IncidentInput(
                id=f"pagerduty:window:{place[0]}:end:{cover.id}",
                env=cover.scope.partition("/")[0],
                kind="unmute",
                item=cover.id,
                by="PagerDuty",
                via="pagerduty",
                at=now,
            )
    for place, window in wanted.items():
        known = ours.get(place)
        if known is None or (window.start, window.end) != (known.start, known.end):
            instead = "" if known is None else f":{known.id}"  # what is changed back is no repeat
            yield IncidentInput(
                id=f"pagerduty:window:{window.id}:{window.scope}:{window.start}:{window.end}{instead}",
                env=window.scope.partition("/")[0],
                kind="maintain",
                scope=window.scope,
                since=window.start,
                until=window.end,
                text=f"{window.mark}: {window.why}",
                by=f"PagerDuty: {window.by}",
                via="pagerduty",
                at=now,
            )
