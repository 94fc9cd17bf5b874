"""How HTTP requests are answered: JSON, and errors always as ``{"error": {"code", "message"}}``."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
from aiohttp import web

from detectors.errors import WatchofficerError

__all__ = ["ApiError", "Handler", "answered", "json_errors", "json_response"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)

_MESSAGES = {
    404: "there is nothing here; / is the console, /api/v1/incidents and /api/v1/slis the API",
    405: "not with this method",
    413: "the body is too large",
}


class ApiError(WatchofficerError):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        code: for programs.
        message: for people.
        headers: that go with it.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever goes wrong as JSON, and send what a browser should be told with everything."""
    try:
        response = await handler(request)
    except ApiError as error:
        response = _error(error.status, error.code, error.message, error.headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        code = re.sub(r"[^a-z]+", "_", error.reason.lower())
        response = _error(error.status, code, _MESSAGES.get(error.status, error.reason), kept)
    except web.RequestPayloadError:
        response = _error(400, "bad_request", "the request's body is broken")
    except Exception as error:
        if isinstance(error, ConnectionError) and _has_gone(request):
            return _error(400, "bad_request", "the client has gone")  # which nobody takes
        log.exception("http_request_failed", method=request.method, path=request.path)
        response = _error(500, "internal_server_error", "this is our fault; the log says more")
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def answered(handler: Handler) -> Handler:
    """The handler with its errors answered by `json_errors`, whatever application its route is added to."""

    @functools.wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        return await json_errors(request, handler)

    return answering


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """``value`` as JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json", headers=headers
    )


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return json_response({"error": {"code": code, "message": message}}, status, headers)
