"""Who may read and write over HTTP: holders of tokens, browsers that took a token at `/login`, and this machine."""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web

from streams.http.access.failures import FAILURES_SECONDS, FailedTokens
from streams.http.access.local import is_public, not_local, same_secret
from streams.http.responses import ApiError, Handler
from streams.settings.api_tokens import ApiToken

__all__ = ["CSRF", "SESSION", "SESSION_SECONDS", "Gate", "actor"]

#: The cookie of a browser that took a token at `/login`, and for how long it holds.
SESSION, SESSION_SECONDS = "watchofficer_session", 12 * 3600
#: A header that a page of another origin cannot send without being allowed to: what writes by the cookie must send it.
CSRF = "X-Watchofficer-Csrf"
_ACTOR = web.RequestKey("actor", str)
_MOST_KNOWN = 1_000

log = structlog.get_logger(__name__)


class Gate:
    """Admits requests.

    Args:
        tokens: that may be borne; without any, only this machine is admitted.
        bind: the address that is served.
        clock: ms since the epoch, for the ends of sessions.
        monotonic: seconds that never go back, for the count of wrong tokens.
    """

    def __init__(
        self,
        tokens: Sequence[ApiToken],
        *,
        bind: str,
        clock: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tuple(tokens)
        self._bind = bind
        self._clock = clock
        self._failed = FailedTokens(monotonic)
        #: Address and name of tokens that were right: a stranger behind the same proxy does not lock them out.
        self._known: set[tuple[str, str]] = set()

    def guarded(self, method: str, path: str, handler: Handler) -> Handler:
        """The handler, which answers only requests that may have its answer; the handler itself if it is public."""
        if is_public(path):
            return handler

        @functools.wraps(handler)
        async def admitting(request: web.Request) -> web.StreamResponse:
            try:
                self.admit(request, writes=method == "POST")
            except ApiError as error:
                if (
                    error.status == 401
                    and method == "GET"
                    and "text/html" in request.headers.get("Accept", "")
                ):
                    return web.Response(status=303, headers={"Location": "/login"})
                raise
            return await handler(request)

        return admitting

    def admit(self, request: web.Request, *, writes: bool) -> None:
        """Return if the request may read or write, and note who asks (``actor``).

        Raises:
            ApiError: it may not.
        """
        away = not_local(request.headers, request.remote, bind=self._bind, writes=writes)
        if away is None and not (writes and self._tokens):
            return
        if not self._tokens:
            raise ApiError(
                403,
                "forbidden",
                f"no token is configured (WATCHOFFICER_API_TOKENS), so only this machine is answered, and {away}",
            )
        holder = self._holder(request, writes)
        if writes and holder.role == "read":
            raise ApiError(
                403, "forbidden", f"the token of {holder.name} has the role read, which does not write"
            )
        if not holder.shared:
            request[_ACTOR] = holder.name

    def log_in(self, request: web.Request, given: str) -> str:
        """The content of the cookie for a token.

        Raises:
            ApiError: the token is none, or its address has sent too many wrong ones.
        """
        holder = self._of_token(request, given)
        ends = self._clock() // 1000 + SESSION_SECONDS
        return f"{holder.name}.{ends}.{_mac(holder, ends)}"

    def _holder(self, request: web.Request, writes: bool) -> ApiToken:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and given.strip():
            return self._of_token(request, given.strip())
        session = self._of_session(request.cookies.get(SESSION, ""))
        if session is None:
            raise _unauthorized(
                "this needs the header Authorization: Bearer <token>, or a browser that was at /login"
            )
        if writes and CSRF not in request.headers:
            raise ApiError(403, "forbidden", f"what writes by the cookie must send the header {CSRF}")
        return session

    def _of_token(self, request: web.Request, given: str) -> ApiToken:
        peer = request.remote or ""
        right = [one for one in self._tokens if same_secret(given, one.secret.get_secret_value())]
        if right and (peer, right[0].name) in self._known:
            return right[0]
        if self._failed.too_many(peer):
            again = {"Retry-After": str(int(FAILURES_SECONDS))}
            raise ApiError(429, "too_many_requests", "too many wrong tokens came from this address", again)
        if not right:
            self._failed.note(peer)
            log.warning("http_token_refused", peer=peer, path=request.path)
            raise _unauthorized("this token is not one that was configured")
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add((peer, right[0].name))
        return right[0]

    def _of_session(self, cookie: str) -> ApiToken | None:
        name, _, rest = cookie.partition(".")
        ends, _, mac = rest.partition(".")
        if not (ends.isascii() and ends.isdigit() and len(ends) <= 12) or int(ends) * 1000 < self._clock():
            return None
        for one in self._tokens:
            if one.name == name and same_secret(mac, _mac(one, int(ends))):
                return one
        return None


def actor(request: web.Request) -> str | None:
    """Who bears the token of an admitted request; None for this machine, and for a token that several people share."""
    return request.get(_ACTOR)


def _mac(holder: ApiToken, ends: int) -> str:
    text = f"watchofficer session\0{holder.name}\0{ends}".encode()
    return hmac.new(holder.secret.get_secret_value().encode(), text, hashlib.sha256).hexdigest()


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
