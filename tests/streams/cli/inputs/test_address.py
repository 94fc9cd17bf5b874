"""Commands reach a worker on the same machine as its settings say, also over TLS and IPv6, and trust no other."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from streams.cli.doctor.inputs import worker_checks
from streams.cli.inputs.address import own_url, trusted
from streams.cli.inputs.health import health_command
from streams.cli.inputs.sending import act_command
from streams.http.server import HttpServer
from streams.settings.settings import read_settings
from tests.support.kafka.certificates import Certificates, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_all(**values: str | int | Path) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"WATCHOFFICER_{name}", str(value))

    return set_all


@asynccontextmanager
async def serving(host: str) -> AsyncIterator[HttpServer]:
    """A server with the TLS of the settings, which says yes to everything."""

    async def alive(request: web.Request) -> web.Response:
        return web.json_response({"now": 0, "inputs": []})

    async def take(request: web.Request) -> web.Response:
        accepted = {"id": "i1", "kind": "note", "incident": "prod-1"}
        return web.json_response({"accepted": accepted}, status=202)

    routes = [web.get("/{path:.*}", alive), web.post("/{path:.*}", take)]
    server = HttpServer(routes, host=host, port=0, tls=read_settings().http_context())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def ask() -> tuple[int, int, str]:
    """What ``health``, an act and ``doctor`` answer: two exit statuses and a sentence."""
    settings = read_settings()
    acted = act_command("incidents/prod-1/notes", {"text": "x"}, by="a", url=None, form="text")
    (check,) = worker_checks(own_url(settings), settings.api_token, trusted(settings, None))
    return health_command(ready=False, form="text"), acted, check.sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("named", ["good", "misnamed"])
async def test_a_worker_that_serves_tls_itself_is_reached_by_its_own_certificate(
    certificates: Certificates, set_variables: Callable[..., None], tmp_path: Path, host: str, named: str
) -> None:
    file = tmp_path / "server.pem"
    shutil.copy(getattr(certificates, named), file)
    set_variables(HTTP_TLS__CERT_FILE=file, HTTP_TLS__KEY_FILE=file, BIND=host)
    async with serving(host) as server:
        set_variables(PORT=server.port)
        assert await asyncio.to_thread(ask) == (0, 0, "this worker reads no input")


async def test_another_certificate_is_not_trusted_and_that_is_said(
    certificates: Certificates,
    set_variables: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "server.pem"
    shutil.copy(certificates.good, file)
    set_variables(HTTP_TLS__CERT_FILE=file, HTTP_TLS__KEY_FILE=file)
    async with serving("127.0.0.1") as server:
        set_variables(PORT=server.port)
        other = tmp_path / "other.pem"
        shutil.copy(certificates.misnamed, other)
        set_variables(HTTP_TLS__CERT_FILE=other, HTTP_TLS__KEY_FILE=other)
        alive, acted, said = await asyncio.to_thread(ask)
    # The certificate of a process that lives may just have been renewed.
    assert (alive, acted) == (0, 2)
    assert "its certificate is not trusted" in said
    assert "its certificate is not trusted" in capsys.readouterr().err


async def test_over_ipv6_without_tls_the_address_stands_in_brackets(
    set_variables: Callable[..., None],
) -> None:
    set_variables(BIND="::1")
    async with serving("::1") as server:
        set_variables(PORT=server.port)
        assert own_url(read_settings()) == f"http://[::1]:{server.port}"
        assert await asyncio.to_thread(ask) == (0, 0, "this worker reads no input")
