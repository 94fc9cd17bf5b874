"""Which answers of a receiver are retried, after how long, and which end a command."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from sinks.receivers.answers import Refused, Retry, classify, spent_for, wait_asked_for
from sinks.receivers.http import call

RETRIED = [408, 425, 429, 500, 502, 503, 504, 520, 599]
REFUSED = [300, 301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 431, 451]


@pytest.mark.parametrize("status", RETRIED)
def test_it_is_tried_again_after(status: int) -> None:
    assert isinstance(classify(status, {}), Retry)


@pytest.mark.parametrize("status", REFUSED)
def test_it_is_a_dead_letter_after(status: int) -> None:
    assert isinstance(classify(status, {}), Refused)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_it_is_delivered_after(status: int) -> None:
    assert classify(status, {}) is None


def test_only_too_many_requests_means_that_the_receiver_is_well() -> None:
    assert [s for s in RETRIED if isinstance(a := classify(s, {}), Retry) and a.throttled] == [429]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"X-RateLimit-Reset": "12", "Retry-After": "7"}, 12.0),
        ({"ratelimit-reset": "3.5"}, 3.5),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "86400"}, 86_400.0),
        ({"X-RateLimit-Reset": "1795446330"}, None),  # an instant says nothing where no Date stands beside it
        ({"X-RateLimit-Reset": "1795446330", "Date": "Mon, 23 Nov 2026 15:05:00 GMT"}, 30.0),
        ({"X-RateLimit-Reset": "1795446330500", "Date": "Mon, 23 Nov 2026 15:05:00 GMT"}, 30.5),
        ({"X-RateLimit-Reset": "1795446330", "Date": "yesterday"}, None),
        ({"Retry-After": "1e400", "Date": "Mon, 23 Nov 2026 15:05:00 GMT"}, None),
        (
            {"Retry-After": "Mon, 23 Nov 2026 15:05:30 GMT", "Date": "Mon, 23 Nov 2026 15:05:00 GMT"},
            30.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 15:05:30 GMT"}, None),
    ],
)
def test_the_wait_that_a_receiver_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_asked_for(httpx.Headers(headers)) == seconds


def test_a_spent_rate_limit_is_respected_before_it_is_exceeded() -> None:
    headers = httpx.Headers({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"})
    assert spent_for(headers) == 9.0
    assert spent_for(httpx.Headers({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "9"})) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), Retry),
        (httpx.ConnectTimeout("late"), Retry),
        (httpx.ReadTimeout("late"), Retry),
        (httpx.PoolTimeout("late"), Retry),
        (httpx.ReadError("reset"), Retry),
        (httpx.RemoteProtocolError("garbage"), Retry),
        (httpx.TooManyRedirects("round"), Retry),
        (httpx.LocalProtocolError("illegal header"), Refused),
        (httpx.UnsupportedProtocol("ftp"), Refused),
        (httpx.InvalidURL("no"), Refused),
    ],
)
async def test_a_failed_exchange_is_a_value(error: Exception, kind: type) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http:
        assert isinstance(await call(http, "POST", "https://receiver.example/"), kind)


async def test_what_a_receiver_says_about_an_error_is_told_but_for_our_secrets() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, text="bad key s3cret\n of yours " + "x" * 1000)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        answered = await call(http, "POST", "https://receiver.example/", secrets=[SecretStr("s3cret")])
    assert isinstance(answered, Refused)
    assert answered.why.startswith("HTTP 400: bad key *** of yours xxx")
    assert len(answered.why) < 350
