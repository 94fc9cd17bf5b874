"""How does a browser take a token once? At `/login`, which sets a cookie that no script can read."""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from streams.http.access.gate import SESSION, SESSION_SECONDS, Gate
from streams.http.requests import raw_body
from streams.http.responses import ApiError, Handler

__all__ = ["LoginPage"]

_LIMIT = 2_048  # bytes of a form
_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>watchofficer: log in</title>
<main>
<h1>watchofficer</h1>
{said}
<form method="post" action="/login">
<p><label>Your token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<p><button>Log in</button>
</form>
</main>
</html>
"""


class LoginPage:
    """The page ``/login``.

    Args:
        gate: knows the tokens.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each page."""
        return [("GET", "/login", self.show), ("POST", "/login", self.take)]

    async def show(self, request: web.Request) -> web.Response:
        """The form that takes a token."""
        return _page("", 200)

    async def take(self, request: web.Request) -> web.Response:
        """Set the cookie for a right token, and lead to the console."""
        form = parse_qs((await raw_body(request, _LIMIT)).decode("utf-8", "replace"), max_num_fields=4)
        try:
            cookie = self._gate.log_in(request, form.get("token", [""])[0].strip())
        except ApiError as error:
            return _page(f"<p role=alert>{error.message}.</p>", error.status)
        answer = web.Response(status=303, headers={"Location": "/"})
        # The cookie is for HTTPS alone where a proxy says that the browser came by it.
        secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        answer.set_cookie(
            SESSION,
            cookie,
            max_age=SESSION_SECONDS,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
        return answer


def _page(said: str, status: int) -> web.Response:
    return web.Response(
        text=_PAGE.format(said=said),
        status=status,
        content_type="text/html",
        headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"},
    )
