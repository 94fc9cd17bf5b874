"""How are the reports of a month served? By ``watchofficer report`` in a process of its own, as they take CPU time.

One process runs at a time, and what it printed is kept for a while, so that readers cost a worker little whatever they
ask for.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from aiohttp import web

from detectors.engine.sla_days import day_of
from detectors.history.history import KEPT
from detectors.incidents import Incident
from detectors.instants import DAY, SECOND, format_instant
from detectors.policy.policy import Policy
from sinks.banner.public.content import ENV
from streams.http.responses import ApiError, Handler

__all__ = ["ReportPages", "ReportSettings", "command_of", "content_security_policy", "months_of"]

#: What a path calls a report, and what it tells.
_KINDS = ("mtta", "sla")
_MONTH = re.compile(r"(19[789]|20\d)\d-(0[1-9]|1[0-2])")
#: How long a report is kept, ms: the present month changes.
_KEPT_FOR = 60 * SECOND
_KEPT = 24
#: The most that a report may be, bytes, and the time that it may take, seconds.
_MOST_BYTES, _PATIENCE = 8 << 20, 60.0
#: The most readers that wait for a process.
_MOST_WAITING = 8
#: How far back `sla-days` reaches, ms.
_DAYS_KEPT = 800 * DAY
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)

log = structlog.get_logger(__name__)


class ReportSettings(Protocol):
    """What is needed of the settings."""

    @property
    def broker(self) -> Sequence[str]: ...
    @property
    def topic_prefix(self) -> str: ...


def command_of(settings: ReportSettings, kind: str, month: str, now: int) -> tuple[list[str], dict[str, str]]:
    """Return the command that prints a report as HTML, and its environment: that of this process, with its broker.

    The command reads the policy from its standard input.

    Args:
        settings: name the broker and the topics.
        kind: mtta or sla.
        month: such as 2026-11.
        now: the present, ms since the epoch.
    """
    command = [sys.executable, "-m", "streams.cli", "report", kind, "--month", month, "--format", "html"]
    command += ["--now", format_instant(now), "--policy", "/dev/stdin"]
    where = {
        "WATCHOFFICER_BROKER": ",".join(settings.broker),
        "WATCHOFFICER_TOPIC_PREFIX": settings.topic_prefix,
    }
    return command, {**os.environ, **where}


def months_of(incidents: Iterable[Incident], now: int, time_zone: str) -> list[tuple[str, bool]]:
    """Return the months that have reports of production, the latest first.

    Each stands with whether its service levels may be known: `sla-days` reaches back 800 days.

    Args:
        incidents: all that are known.
        now: the present, ms since the epoch.
        time_zone: IANA name of the one in which a month begins.
    """
    levels = {day_of(at, time_zone).date[:7] for at in (now, now - KEPT)}
    first = day_of(now - _DAYS_KEPT, time_zone).date[:7]
    opened = {day_of(one.opened_at, time_zone).date[:7] for one in incidents if one.env == ENV}
    return [(month, month > first) for month in sorted(opened | levels, reverse=True)[:_KEPT]]


def content_security_policy(page: bytes) -> str:
    """Return what a page may load: the style in its head, and nothing else."""
    style = _STYLE.search(page)
    digest = base64.b64encode(hashlib.sha256(b"" if style is None else style[1]).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


class ReportPages:
    """Serves ``/reports/{month}/mtta`` and ``/reports/{month}/sla``, of production.

    Args:
        command: makes the command that prints a report, and its environment, by kind, month and the present (ms).
        policy: returns the policy that is in force, by which a report is made.
        clock: ms since the epoch.
        patience: seconds for which a process may run.
    """

    def __init__(
        self,
        command: Callable[[str, str, int], tuple[Sequence[str], Mapping[str, str]]],
        policy: Callable[[], Policy],
        clock: Callable[[], int],
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._command = command
        self._policy = policy
        self._clock = clock
        self._patience = patience
        self._made: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._running = asyncio.Lock()
        self._waiting = 0

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each page."""
        return [("GET", f"/reports/{{month}}/{{kind:{'|'.join(_KINDS)}}}", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """A month's response times (mtta), or what the SLA promises (sla), for people."""
        if request.query:
            raise ApiError(400, "bad_request", "a report has no parameters")
        kind, month = request.match_info["kind"], request.match_info["month"]
        now = self._clock()
        if not _MONTH.fullmatch(month) or month > day_of(now, self._policy().time_zone).date[:7]:
            raise ApiError(404, "not_found", "a month is written as YYYY-MM, and is none to come")
        page = await self._page(kind, month, now)
        headers = {
            "Content-Security-Policy": content_security_policy(page),
            "Cache-Control": "private, no-cache",
        }
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)

    async def _page(self, kind: str, month: str, now: int) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise ApiError(
                503, "service_unavailable", "too many reports are asked for", {"Retry-After": "10"}
            )
        self._waiting += 1
        try:
            async with self._running:
                made = self._made.get((kind, month))
                if made is None or not 0 <= now - made[0] < _KEPT_FOR:
                    made = now, await self._run(kind, month, now)
                    self._made.pop((kind, month), None)
                    self._made[kind, month] = made
                    if len(self._made) > _KEPT:
                        del self._made[next(iter(self._made))]
                return made[1]
        finally:
            self._waiting -= 1

    async def _run(self, kind: str, month: str, now: int) -> bytes:
        """Let a process of its own make a report, which ends with this call whatever becomes of it."""
        command, env = self._command(kind, month, now)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, env=env, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdin is not None
        assert process.stdout is not None
        page, status = b"", -1
        try:
            async with asyncio.timeout(self._patience):
                process.stdin.write(self._policy().canonical().encode())
                with suppress(ConnectionError):  # it has ended; its status says so
                    await process.stdin.drain()
                process.stdin.close()
                while len(page) <= _MOST_BYTES and (more := await process.stdout.read(1 << 16)):
                    page += more
                if len(page) <= _MOST_BYTES:
                    status = await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()  # asyncio knows of an end only once all that was printed is read
        if status != 0 or not page:
            log.warning("report_failed", kind=kind, month=month, status=status)
            said = f"the report could not be made; `watchofficer report {kind} --month {month}` says why"
            raise ApiError(503, "service_unavailable", said, {"Retry-After": "60"})
        return page
