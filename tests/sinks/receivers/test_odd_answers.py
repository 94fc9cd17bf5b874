"""Answers that nobody documents, over a real connection: each is a value that is tried again, or refused in words."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from sinks.receivers import http as module
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.contract import Means
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.registry import Receivers
from streams.dispatch.receivers import http_client
from tests.sinks.samples import NAMES, OPENED, command, no_receipts

OK = b'{"status": "success"}'
PAGE = command("pagerduty", "trigger")


def answer(body: bytes, *headers: str, status: str = "202 Accepted", version: str = "1.1") -> bytes:
    head = [f"HTTP/{version} {status}", *headers]
    if not any(one.lower().startswith(("content-length", "transfer-encoding")) for one in headers):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


@asynccontextmanager
async def says(*parts: bytes, pause: float = 0.0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers each request with the same bytes, with pauses between its parts, and hangs up."""
    heads: list[bytes] = []
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            lines = head.lower().split(b"\r\n")
            length = next(line for line in lines if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed


async def paged(base: str, http: httpx.AsyncClient) -> Answer:
    return await PagerDuty(http, routing_key=SecretStr("r" * 32), base_url=base, names=NAMES).send(
        PAGE, no_receipts
    )


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        pytest.param(answer(OK), Delivered, id="as documented"),
        pytest.param(answer(OK, version="1.0"), Delivered, id="HTTP/1.0"),
        pytest.param(answer(chunked(*(bytes([one]) for one in OK)), "Transfer-Encoding: chunked"), Delivered,
                     id="a byte a chunk"),
        pytest.param(answer(gzip.compress(OK), "Content-Encoding: gzip"), Delivered, id="packed unasked"),
        pytest.param(answer(OK, "Content-Length: 500"), Retry, id="closed within the body"),
        pytest.param(answer(b"", "Content-Length: 21"), Retry, id="closed before the body"),
        pytest.param(b"", Retry, id="closed before the head"),
        pytest.param(b"220 mail.example ESMTP\r\n", Retry, id="another protocol"),
        pytest.param(answer(OK, f"X-Flood: {'x' * 200_000}"), Retry, id="a head without end"),
        pytest.param(answer(OK, *(f"X-{n}: y" for n in range(20_000))), Retry, id="headers without end"),
        pytest.param(answer(b"\xff\xfe{}"), Retry, id="not UTF-8"),
        pytest.param(answer(b'{"status": "\xff"}'), Retry, id="half UTF-8"),
        pytest.param(answer(b"[" * 30_000 + b"]" * 30_000), Retry, id="nested without end"),
        pytest.param(answer(b'{"status": ' + b"9" * 30_000 + b"}"), Retry, id="a number without end"),
        pytest.param(None, Retry, id="a bomb of gzip"),
        pytest.param(answer(OK, "Content-Encoding: br"), Retry, id="packed in another way"),
        pytest.param(answer(OK, status="204 No Content"), Retry, id="204"),
        pytest.param(answer(b"", "Location: https://elsewhere.example/", status="301 Moved"), Refused, id="301"),
        pytest.param(answer(b"", status="408 Request Timeout"), Retry, id="408"),
        pytest.param(answer(b"", status="413 Content Too Large"), Refused, id="413"),
        pytest.param(answer(b"", status="425 Too Early"), Retry, id="425"),
        pytest.param(answer(b"", status="451 Unavailable For Legal Reasons"), Refused, id="451"),
        pytest.param(answer(OK, "Date: Fri, 01 Jan 1971 00:00:00 GMT"), Delivered, id="a clock that is wrong"),
        pytest.param(answer(b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "Date: Fri, 01 Jan 1971 00:00:00 GMT",
                            status="429 Slow"), Retry, id="a wait by a clock that is wrong"),
    ],
)  # fmt: skip
async def test_an_answer_that_nobody_documents_is_a_value(raw: bytes | None, kind: type[Answer]) -> None:
    if raw is None:  # packed here, as that takes long
        raw = answer(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip")
    async with says(raw) as (base, _), http_client() as http:
        got = await paged(base, http)
    assert isinstance(got, kind), got


async def test_good_json_that_drips_is_not_waited_for_longer_than_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.1)
    parts = [answer(b"", f"Content-Length: {len(OK)}"), *(bytes([one]) for one in OK)]
    async with says(*parts, pause=0.05) as (base, _), http_client() as http:
        got = await paged(base, http)
    assert isinstance(got, Retry)
    assert got.kind == "no_answer"


async def test_a_receiver_can_store_nothing_here() -> None:
    cookies = [f"Set-Cookie: c{n}={'x' * 1_000}" for n in range(20)]
    async with says(answer(OK, *cookies)) as (base, heads), http_client() as http:
        for _ in range(2):
            assert isinstance(await paged(base, http), Delivered)
    assert len(http.cookies.jar) == 0
    assert all(b"\r\ncookie:" not in head.lower() for head in heads)


SETTINGS: dict[str, Any] = {
    "pagerduty": {"routing_key": "r" * 32, "rest_token": "t", "rest_from": "watch@va.example"},
    "datadog": {"api_key": "a", "app_key": "b"},
    "slack": {"token": "t", "channel": "C1"},
    "webhook": {"url": "https://hook.example/1"},
    "teams": {"url": "https://flow.example/1"},
    "statuspage": {
        "api_key": "a", "page": "abcdefghijkl", "headline": "Sign-in problems", "components": "prod/ssoe=c1",
    },
    "alertmanager": {"urls": "https://alerts.example"},
}  # fmt: skip
COMMANDS = [
    *(command("pagerduty", one) for one in ("trigger", "resolve")),
    *(command("pagerduty:rest", one) for one in ("note", "update")),
    *(command("datadog", one) for one in ("event", "incident_create", "incident_update")),
    *(command("slack", one) for one in ("post", "reply")),
    *(command(sink, "open") for sink in ("webhook", "teams", "statuspage", "alertmanager")),
]
NAMES_IN_ANSWERS = (
    *(
        "ok",
        "error",
        "ts",
        "status",
        "data",
        "attributes",
        "incidents",
        "id",
        "notes",
        "title",
        "priorities",
        "messages",
    ),
    *("channel", "metadata", "event_payload", "url", "links", "evt", "content", "body", "components"),
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES_IN_ANSWERS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@example(COMMANDS[2], 200, {"incidents": 1})
@example(COMMANDS[2], 200, {"incidents": [1]})
@example(COMMANDS[3], 200, {"incidents": [{"id": "Q1"}], "notes": [1], "priorities": [1]})
@example(COMMANDS[8], 200, {"ok": True, "messages": [], "has_more": True, "response_metadata": [1]})
@given(st.sampled_from(COMMANDS), st.sampled_from([200, 201, 202]), SHAPES)
async def test_no_shape_of_json_is_an_error_of_ours(given: Any, status: int, shape: Any) -> None:
    body = json.dumps(shape).encode()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    receivers = dict(Receivers.model_validate(SETTINGS).receivers())
    async with httpx.AsyncClient(transport=transport) as http:
        client = receivers[given.sink].client(Means(http=http, clock=lambda: OPENED, names=NAMES))
        receipts = {"incident_id": "0b1c", "ts": "1.1", "channel": "C1", "dedup_key": "k"}
        got = await client.send(given, lambda sink: receipts if given.action != "incident_create" else {})
    assert isinstance(got, Delivered | Retry | Refused)
