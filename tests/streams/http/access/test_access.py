"""Who is admitted over HTTP: named tokens with roles, browsers that were at `/login`, and this machine alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.http.access.failures import FailedTokens
from streams.http.access.local import is_public
from streams.settings.api_tokens import ApiToken, api_tokens
from tests.streams.http.serving import Serving, an_incident, serving

READER = ApiToken("grafana", "read", SecretStr("a-token-that-reads"))
ADA = ApiToken("ada", "respond", SecretStr("a-token-that-writes"))
ACK = "/api/v1/incidents/prod-17/ack"


def bearer(token: ApiToken) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.secret.get_secret_value()}"}


async def get(served: Serving, path: str, **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.client.get(path, headers=given, allow_redirects=False) as response:
        return response.status


async def test_beyond_loopback_reads_need_a_token_but_for_the_public_paths() -> None:
    async with serving(token=None, tokens=(READER,), bind="0.0.0.0") as served:
        table = [(r.method, r.resource) for r in served.client.app.router.routes()]
        paths = {r.canonical for method, r in table if method == "GET" and r is not None}
        protected = {path for path in paths if not is_public(path)}
        assert {"/", "/metrics", "/api/v1/incidents", "/api/v1/slis", "/openapi.json"} <= protected
        for path in protected:
            asked = path.format(id="x", name="idme", covers="mutes", month="x", kind="sla")
            assert await get(served, asked) == 401, path
            assert await get(served, asked, **bearer(READER)) not in (401, 500), path
        assert await get(served, "/healthz") == 200
        assert await get(served, "/v0/backend_statuses") == 200
        assert await get(served, "/login") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "192.0.2.1"},
        {"X_Forwarded_Proto": "https"},
        {"Forwarded": "for=192.0.2.1"},
        {"X_Real_IP": "192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"Host": "watch.example"},
    ],
)
async def test_what_was_forwarded_or_names_another_host_is_not_of_this_machine(
    headers: dict[str, str],
) -> None:
    async with serving(token=None) as served:
        served.feed(an_incident(17))
        assert await get(served, "/api/v1/incidents") == 200
        assert await get(served, "/api/v1/incidents", **headers) == 403
        assert (await served.post(ACK, {}, **headers))[0] == 403
        assert await get(served, "/readyz", **headers) in (200, 503)
    assert served.submitted == []


async def test_a_token_that_reads_does_not_write_and_a_name_is_the_actor() -> None:
    async with serving(token=None, tokens=(READER, ADA)) as served:
        served.feed(an_incident(17))
        status, body = await served.post(ACK, {}, **bearer(READER))
        assert (status, body["error"]["message"]) == (
            403,
            "the token of grafana has the role read, which does not write",
        )
        assert (await served.post(ACK, {"by": "the director"}, **bearer(ADA)))[0] == 202
        assert [one.by for one in served.submitted] == ["ada"]


async def test_a_browser_logs_in_once_and_writes_with_a_header_that_other_pages_cannot_send() -> None:
    async with serving(token=None, tokens=(READER, ADA), bind="0.0.0.0") as served:
        served.feed(an_incident(17))
        assert await get(served, "/", Accept="text/html") == 303
        form = {"token": ADA.secret.get_secret_value()}
        async with served.client.post("/login", data=form, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            said = response.headers["Set-Cookie"]
        assert "HttpOnly" in said
        assert "SameSite=Strict" in said
        assert form["token"] not in said
        cookie = said.partition(";")[0]
        served.client.session.cookie_jar.clear()
        assert await get(served, "/", Cookie=cookie) == 200
        assert await get(served, "/", Cookie=cookie[:-1]) == 401
        assert await get(served, "/", Cookie=cookie.replace("ada.", "grafana.")) == 401
        name, value = cookie.split("=", 1)
        longer = str(int(value.split(".")[1]) + 1)
        assert await get(served, "/", Cookie=f"{name}=ada.{longer}.{value.split('.')[2]}") == 401
        assert (await served.post(ACK, {}, Cookie=cookie))[0] == 403
        assert (await served.post(ACK, {}, Cookie=cookie, X_Watchofficer_Csrf="1"))[0] == 202
        assert [one.by for one in served.submitted] == ["ada"]


async def test_wrong_tokens_of_an_address_are_bounded_and_lock_nobody_out_who_was_right_before() -> None:
    async with serving(token=None, tokens=(READER, ADA), bind="0.0.0.0") as served:
        assert await get(served, "/metrics", **bearer(READER)) == 200
        answers = [await get(served, "/metrics", Authorization="Bearer wrong") for _ in range(12)]
        assert answers == [401] * 10 + [429] * 2
        assert await get(served, "/metrics", **bearer(READER)) == 200
        assert await get(served, "/metrics", **bearer(ADA)) == 429
        async with served.client.post("/login", data={"token": "x"}) as response:
            assert response.status == 429


def test_wrong_tokens_are_forgotten_after_a_minute_and_what_is_kept_of_them_is_bounded() -> None:
    now = 0.0
    failed = FailedTokens(lambda: now)
    for _ in range(10):
        failed.note("a")
    assert failed.too_many("a")
    assert not failed.too_many("b")
    now = 60.0
    assert not failed.too_many("a")
    for n in range(3_000):
        failed.note(str(n))
    assert len(failed._at) <= 1_000


def test_tokens_are_read_from_one_setting() -> None:
    text = "ada:respond:0123456789abcdef\ngrafana:read:fedcba9876543210, "
    assert [(one.name, one.role) for one in api_tokens(text)] == [("ada", "respond"), ("grafana", "read")]


@pytest.mark.parametrize(
    "text",
    [
        "ada:respond:short-secret",
        "ada:admin:0123456789abcdef",
        "0123456789abcdef",
        "ada:read:0123456789abcdef,ada:respond:fedcba9876543210",
        "ada:read:0123456789abcdef,bob:respond:0123456789abcdef",
        " , \n",  # whoever sets this believes that there are tokens
    ],
)
def test_tokens_that_cannot_be_used_are_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be|names|has|holds)") as raised:
        api_tokens(text)
    assert "0123456789abcdef" not in str(raised.value)
    assert "short-secret" not in str(raised.value)


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    root = Path(__file__).resolve().parents[4]
    named = re.findall(r"`(tests/[^`]+)`", (root / "docs" / "security.md").read_text())
    assert len(named) > 10
    assert [name for name in named if not (root / name).exists()] == []
