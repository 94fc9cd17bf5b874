"""How does a worker say what became of the records of each input?"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from streams.http.responses import Handler, json_response

__all__ = ["InputPages"]


class InputPages:
    """``/api/v1/inputs-health``: a list of inputs.

    Args:
        report: how each input stands; what it returns is written as JSON.
        clock: ms since the epoch.
    """

    def __init__(self, report: Callable[[], object], clock: Callable[[], int]) -> None:
        self._report = report
        self._clock = clock

    def table(self) -> list[tuple[str, str, Handler]]:
        """The routes: method, path, handler."""
        return [("GET", "/api/v1/inputs-health", self._health)]

    async def _health(self, request: web.Request) -> web.Response:
        return json_response({"now": self._clock(), "inputs": self._report()})
