"""How does a process say over HTTP whether it lives, whether it is ready, and what does not get on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from detectors.instants import format_instant
from streams.http.responses import Handler, json_response
from streams.watchdog.report import Report

__all__ = ["HealthPages"]


class HealthPages:
    """The pages ``/healthz``, ``/readyz`` and ``/api/v1/health``.

    Args:
        report: takes a snapshot of this process.
    """

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each page."""
        return [
            ("GET", "/healthz", self.healthz),
            ("GET", "/readyz", self.readyz),
            ("GET", "/api/v1/health", self.health),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while no part stands still. Whoever restarts what answers 503 must not do so because a broker is away."""
        report = self._report()
        return _answer(report.stalled, {part: report.stalled.get(part, "ok") for part in report.parts})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 while every part does its work and the watch is not blind."""
        report = self._report()
        wrong = report.wrong()
        return _answer(wrong, dict.fromkeys(report.parts, "ok") | wrong)

    async def health(self, request: web.Request) -> web.Response:
        """All that is known of how this process gets on; always 200, as the answer itself is what was asked for."""
        return json_response(as_document(self._report()))


def as_document(report: Report) -> dict[str, object]:
    """The report as JSON, with instants as RFC 3339."""
    document: dict[str, object] = msgspec.to_builtins(report, str_keys=True)
    status = "blind" if report.blind else "ok" if report.ready else "not_ready"
    return {
        **document,
        "status": status,
        "at": format_instant(report.at),
        "obstacles": [
            {**msgspec.to_builtins(one), "since": format_instant(one.since)} for one in report.obstacles
        ],
        "evaluated": {
            env: {**msgspec.to_builtins(one), "to": format_instant(one.to)}
            for env, one in report.evaluated.items()
        },
    }


def _answer(wrong: Mapping[str, str], parts: Mapping[str, str]) -> web.Response:
    if not wrong:
        return json_response({"status": "ok", "parts": parts})
    message = "; ".join(f"{part}: {why}" for part, why in sorted(wrong.items()))
    return json_response({"error": {"code": "service_unavailable", "message": message}, "parts": parts}, 503)
