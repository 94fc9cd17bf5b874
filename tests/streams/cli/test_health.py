"""`watchofficer health`: the health check of a container, against a real server."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from streams.cli.inputs.health import health_command
from streams.http.server import HttpServer


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
async def test_it_says_whether_the_process_lives_and_whether_it_works(
    bind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def lives(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def works_not(request: web.Request) -> web.Response:
        return web.Response(text="it is blind", status=503)

    server = HttpServer([web.get("/healthz", lives), web.get("/readyz", works_not)], host="127.0.0.1", port=0)
    await server.start()
    try:
        monkeypatch.setenv("WATCHOFFICER_BIND", bind)
        monkeypatch.setenv("WATCHOFFICER_PORT", str(server.port))
        assert await asyncio.to_thread(health_command, ready=False, form="text") == 0
        assert await asyncio.to_thread(health_command, ready=True, form="text") == 1
        assert "it is blind" in capsys.readouterr().err
    finally:
        await server.stop()
    assert await asyncio.to_thread(health_command, ready=False, form="text") == 1
    assert "no answer at http://127.0.0.1:" in capsys.readouterr().err
