"""How is the console served: its pages, made once for all who look at the same, and the files that they load?"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection
from functools import cached_property, partial

from aiohttp import web

from detectors.instants import SECOND
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from sinks.console.history import STATES, Filter, HistoryView, history_page, matching
from sinks.console.incident import incident_page
from sinks.console.overview import RANGES, overview_page
from sinks.console.shell import ASSETS, ConsolePage, Standing, asset
from sinks.metrics.prometheus import Metrics
from sinks.wording import ScopeNames
from streams.http.pages.incident_view import Incidents, standing_of
from streams.http.pages.overview_view import Overviews
from streams.http.pages.stream import LISTENERS, StreamPages
from streams.http.reporting.pages import months_of
from streams.http.responses import ApiError, Handler
from streams.http.server import connection_limit
from streams.http.views import Views
from streams.watchdog.report import Report

__all__ = ["ConsolePages"]

#: Pages that are kept for those who ask next.
_KEPT = 64
_YEAR_SECONDS = 31_536_000


class _Made:
    """A page, with the number of changes and the second at which it was made; compressed once, where that is asked."""

    def __init__(self, changes: int, second: int, page: ConsolePage) -> None:
        self.changes = changes
        self.second = second
        self.page = page

    @cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.page.body, 5)


class _Shown:
    """What pages are made of, with a policy."""

    def __init__(
        self, views: Views, policy: Policy, metrics: Metrics, *, pages_on: bool, clock: Callable[[], int]
    ) -> None:
        self.policy = policy
        self.names = ScopeNames(policy)
        self.incidents = Incidents(views, policy, pages_on=pages_on, clock=clock)
        self.overviews = Overviews(views, policy, metrics, clock)


class ConsolePages:
    """Serves ``/``, ``/incidents/{id}``, ``/history``, ``/assets/{name}`` and ``/api/v1/stream``.

    Args:
        views: what is known of the topics.
        policy: returns the policy that is in force: thresholds, objectives and names are shown as it has them.
        report: takes a snapshot of how this process gets on.
        metrics: has the error budgets of the environments that this worker evaluates.
        pages_on: whether PagerDuty is set up.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        views: Views,
        policy: Callable[[], Policy],
        report: Callable[[], Report],
        metrics: Metrics,
        *,
        pages_on: bool,
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._report = report
        self._clock = clock
        self._policy = policy
        self._show = partial(_Shown, views, metrics=metrics, pages_on=pages_on, clock=clock)
        self._last: _Shown | None = None
        self._stream = StreamPages(views.changes, limit=min(LISTENERS, connection_limit() // 2))
        self._made: dict[str, _Made] = {}

    def _shown(self) -> _Shown:
        """What pages are made of now: anew where another policy has come into force."""
        policy = self._policy()
        if self._last is None or policy is not self._last.policy:
            self._last = self._show(policy)
        return self._last

    def table(self) -> list[tuple[str, str, Handler]]:
        """The routes: method, path, handler."""
        return [
            ("GET", "/", self.overview),
            ("GET", "/history", self.history),
            ("GET", "/incidents/{id}", self.incident),
            ("GET", "/assets/{name}", self.asset),
            *self._stream.table(),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """The first page, of an environment (``env``) and a time (``range``)."""
        _only(request, ("env", "range"))
        shown = self._shown()
        env, span = request.query.get("env", ENVS[0]), request.query.get("range", "1h")
        if env not in shown.overviews.environments():
            raise ApiError(404, "not_found", "env is one of those that have been evaluated")
        if span not in RANGES:
            raise ApiError(400, "bad_request", f"range is one of {', '.join(RANGES)}")

        def make() -> ConsolePage:
            report = self._report()
            standing = standing_of(report, env, ready=self._views.ready)
            return overview_page(shown.overviews.view(env, span, shown.incidents.all(), standing, report))

        return self._served(request, make)

    async def history(self, request: web.Request) -> web.Response:
        """All incidents that match a filter."""
        _only(request, ("q", "env", "state", "severity"))
        shown = self._shown()
        query = request.query
        severity = query.get("severity", "")
        if severity not in ("", "1", "2", "3"):
            raise ApiError(400, "bad_request", "severity is 1, 2 or 3")
        if query.get("state", "") not in ("", *STATES):
            raise ApiError(400, "bad_request", f"state is one of {', '.join(STATES)}")
        wanted = Filter(
            query.get("q", "")[:200], query.get("env", ""), query.get("state", ""), int(severity or 0)
        )

        def make() -> ConsolePage:
            known = shown.incidents.all()
            return history_page(
                HistoryView(
                    filter=wanted,
                    found=matching(known, wanted, shown.names),
                    known=len(known),
                    envs=shown.overviews.environments(),
                    names=shown.names,
                    standing=self._standing(ENVS[0]),
                    now=self._clock(),
                    months=months_of(known, self._clock(), shown.policy.time_zone),
                )
            )

        return self._served(request, make)

    async def incident(self, request: web.Request) -> web.Response:
        """The page of one incident."""
        _only(request, ())
        shown = self._shown()
        asked = request.match_info["id"]
        incident = shown.incidents.get(asked)
        if incident is None:
            if not self._views.ready:
                raise ApiError(
                    503, "service_unavailable", "the incidents are still being read", {"Retry-After": "2"}
                )
            raise ApiError(404, "not_found", "no such incident; /history lists those that are known")
        found = incident
        return self._served(
            request, lambda: incident_page(shown.incidents.view(found, self._standing(found.env)))
        )

    async def asset(self, request: web.Request) -> web.Response:
        """A file that pages load; its path changes with it, so that it may be kept."""
        name = request.match_info["name"]
        if name not in ASSETS:
            raise ApiError(404, "not_found", "there is no such file")
        return web.Response(
            body=asset(name),
            content_type=ASSETS[name],
            charset="utf-8",
            headers={"Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable"},
        )

    def _standing(self, env: str) -> Standing:
        return standing_of(self._report(), env, ready=self._views.ready)

    def _served(self, request: web.Request, make: Callable[[], ConsolePage]) -> web.Response:
        """A page, made anew where something has changed or a second has passed since it was."""
        key, changes, second = request.path_qs[:500], self._views.changes.number, self._clock() // SECOND
        made = self._made.get(key)
        if made is None or (made.changes, made.second) != (changes, second):
            made = _Made(changes, second, make())
            self._made.pop(key, None)
            self._made[key] = made
            if len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        headers = {
            "Content-Security-Policy": made.page.content_security_policy,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        packs = "gzip" in request.headers.get("Accept-Encoding", "")
        return web.Response(
            body=made.packed if packs else made.page.body,
            content_type="text/html",
            charset="utf-8",
            headers=headers | ({"Content-Encoding": "gzip"} if packs else {}),
        )


def _only(request: web.Request, names: Collection[str]) -> None:
    for key in request.query:
        if key not in names:
            known = f"the parameters are {', '.join(names)}" if names else "this page has none"
            raise ApiError(400, "bad_request", f"{key[:64]} is no parameter: {known}")
        if len(request.query.getall(key)) > 1:
            raise ApiError(400, "bad_request", f"{key} is given once")
