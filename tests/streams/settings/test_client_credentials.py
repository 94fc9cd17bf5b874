"""Tokens for Kafka by client credentials: asked for once in most of their life, and never with a secret in an error."""

from __future__ import annotations

import base64

import pytest
from aiohttp import web
from aiokafka.errors import AuthenticationFailedError
from pydantic import SecretStr

from streams.http.server import HttpServer
from streams.settings.client_credentials import ClientCredentials


class Issuer:
    """An authorization server."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        self.answer: object = {"access_token": "first", "expires_in": 100}
        self.server = HttpServer([web.post("/token", self._token)], host="127.0.0.1", port=0)

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers["Authorization"], await request.text()))
        return web.json_response(self.answer, status=self.status)


async def test_a_token_is_kept_for_most_of_its_life() -> None:
    issuer, now = Issuer(), [0.0]
    await issuer.server.start()
    url = f"http://127.0.0.1:{issuer.server.port}/token"
    provider = ClientCredentials(url, "watch", SecretStr("hunter2"), "kafka", monotonic=lambda: now[0])
    try:
        assert [await provider.token(), await provider.token()] == ["first", "first"]
        basic = base64.b64encode(b"watch:hunter2").decode()
        assert issuer.asked == [(f"Basic {basic}", "grant_type=client_credentials&scope=kafka")]
        issuer.answer, now[0] = {"access_token": "second"}, 81.0
        assert await provider.token() == "second"
        now[0] += 60
        for issuer.status, issuer.answer in ((401, {}), (200, {}), (200, {"access_token": "x" * (65 << 10)})):
            with pytest.raises(AuthenticationFailedError, match="gives no token for Kafka") as caught:
                await provider.token()
            assert "hunter2" not in str(caught.value)
    finally:
        await issuer.server.stop()
    with pytest.raises(AuthenticationFailedError, match="no answer: ConnectError"):
        await provider.token()
