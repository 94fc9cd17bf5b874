"""How does a client of Kafka get its token for OAUTHBEARER from an authorization server, by client credentials?"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable

import httpx
import msgspec
from pydantic import SecretStr

from streams.settings.kept_token import KeptToken, no_token

__all__ = ["ClientCredentials"]

_PATIENCE = 10.0  # seconds for an answer
_MOST_BYTES = 64 << 10
#: Life of a token that does not say how long it lives, s.
_UNSAID = 60.0


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = _UNSAID


class ClientCredentials(KeptToken):
    """Asks for a token (RFC 6749, section 4.4), and keeps it for most of its life.

    The server's certificate is checked by those of the system.

    Args:
        url: of the token endpoint.
        client_id, secret: of this client.
        scope: what is asked for; None for what the server gives by default.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: SecretStr,
        scope: str | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(monotonic)
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._scope = scope

    async def _ask(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        body = b""
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                httpx.AsyncClient(verify=ssl.create_default_context()) as client,
                client.stream(
                    "POST", self._url, data=form, auth=(self._client_id, self._secret.get_secret_value())
                ) as response,
            ):
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise no_token(self._url, "its answer is too large")
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise no_token(self._url, f"no answer: {type(error).__name__}") from None
        if response.status_code != httpx.codes.OK:
            raise no_token(self._url, f"status {response.status_code}")
        try:
            answer = msgspec.json.decode(body, type=_Answer, strict=False)
        except msgspec.MsgspecError:
            raise no_token(self._url, "its answer holds no access_token") from None
        return answer.access_token, answer.expires_in
