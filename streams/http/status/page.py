"""How are the public status page and its feed served: for everybody, and at the same cost however many ask?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from aiohttp import ETag, web

from detectors.instants import SECOND
from detectors.policy.policy import Policy
from sinks.banner.public.markup import CONTENT_SECURITY_POLICY
from streams.http.responses import ApiError, Handler
from streams.http.status.told import Pages, pages_of
from streams.http.views import Views
from streams.watchdog.report import Report

__all__ = ["MAX_AGE", "StatusPages"]

#: How long an answer may be kept, seconds; for as long the pages are not made anew, whoever asks.
MAX_AGE = 10


class StatusPages:
    """``/status`` and ``/status.atom``.

    Args:
        views: what is known of the topics.
        report: takes a snapshot of how this process gets on.
        policy: returns the policy that is in force.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        views: Views,
        report: Callable[[], Report],
        policy: Callable[[], Policy],
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._report = report
        self._policy = policy
        self._clock = clock
        self._made: tuple[int, bool, Pages] | None = None

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each page."""
        return [("GET", "/status", self.page), ("GET", "/status.atom", self.feed)]

    async def page(self, request: web.Request) -> web.Response:
        """The public status page."""
        answer = self._answer(request, self._pages().page, "text/html")
        answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return answer

    async def feed(self, request: web.Request) -> web.Response:
        """The public status as an Atom feed."""
        return self._answer(request, self._pages().feed, "application/atom+xml")

    def _pages(self) -> Pages:
        now = self._clock()
        is_known = self._views.ready and not self._report().blind
        made = self._made
        if made is None or made[1] != is_known or not 0 <= now - made[0] < MAX_AGE * SECOND:
            made = self._made = now, is_known, pages_of(self._views, self._policy(), now, is_known=is_known)
        return made[2]

    def _answer(self, request: web.Request, body: bytes, content_type: str) -> web.Response:
        if request.query:
            raise ApiError(400, "bad_request", "the public page has no parameters")
        tag = hashlib.sha256(body).hexdigest()[:32]
        asked = request.if_none_match or ()
        if ETag("*") in asked or tag in {one.value for one in asked}:
            answer = web.Response(status=304)
        else:
            answer = web.Response(body=body, content_type=content_type, charset="utf-8")
        answer.etag = tag
        answer.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
        return answer
