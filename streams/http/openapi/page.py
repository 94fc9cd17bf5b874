"""How is the description of the HTTP interface served? At ``/openapi.json``, for the routes that this process has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from streams.http.responses import Handler

if TYPE_CHECKING:
    from streams.http.openapi.document import Row

__all__ = ["OpenApiPage"]


class OpenApiPage:
    """The page ``/openapi.json``. The document is made when it is first asked for.

    Args:
        rows: all other routes.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._body: bytes | None = None

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of the page."""
        return [("GET", "/openapi.json", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """The OpenAPI document of this interface."""
        if self._body is None:
            from streams.http.openapi.document import openapi, render  # a twentieth of a second, for who asks

            self._body = render(openapi([*self._rows, *self.table()])).encode()
        return web.Response(body=self._body, content_type="application/json", charset="utf-8")
