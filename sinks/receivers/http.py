"""How is a request made to a receiver over HTTP? Every failure is a return value, and no text holds a secret.

Nothing that a receiver answers takes long or much: a request has a deadline as a whole, since one for each wait for
bytes never ends against a byte every few seconds, and of an answer a few KB are read before the connection is closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from sinks.receivers.answers import Kind, Refused, Retry, classify, without_secrets
from sinks.wording import one_line, truncate

__all__ = ["ANSWER_BYTES", "DEADLINE", "call", "json_of"]

#: The longest that a whole request may take, seconds.
DEADLINE = 10.0
#: The most that is read of an answer, bytes: what receivers answer to one command fits.
ANSWER_BYTES = 64 << 10
#: The most that is read of an answer that says no, bytes: what people are shown of it fits.
_REFUSAL_BYTES = 4 << 10
_LONGEST_SECRET = 512
#: Headers that speak of a body as it was sent, and not as it was read.
_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
#: How zlib is told to unpack an encoding: a gzip header, or a zlib header.
_UNPACKED = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    secrets: Iterable[SecretStr] = (),
    answer_bytes: int = ANSWER_BYTES,
) -> httpx.Response | Retry | Refused:
    """Make one HTTP request; every failure is a return value.

    A response that is returned has a status of 2xx and at most ``answer_bytes`` of its body; a longer body is cut off,
    which its reader finds to be no JSON.

    No returned text holds a secret: an exception is reported by its type alone, because the text of some
    exceptions repeats header values, and secrets that a receiver echoes are replaced by ``***``.
    """
    request = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        async with (
            asyncio.timeout(DEADLINE),
            http.stream(
                method, url, content=body, headers=request, params=params, follow_redirects=False
            ) as stream,
        ):
            limit = answer_bytes if stream.is_success else _REFUSAL_BYTES
            response = httpx.Response(
                stream.status_code,
                headers=[(k, v) for k, v in stream.headers.items() if k not in _OF_THE_BODY],
                content=await _beginning(stream, limit),
            )
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        return Refused(f"the request cannot be made with these settings: {type(error).__name__}")
    except (TimeoutError, httpx.TimeoutException) as error:
        return Retry(None, f"no answer in time: {type(error).__name__}", kind="no_answer")
    except httpx.HTTPError as error:
        return _unanswered(error)
    return classify(response.status_code, response.headers, _said(response, secrets)) or response


def json_of(response: httpx.Response) -> Any:
    """The JSON of a response; None for what is none, or is nested deeper than can be read."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    """The first bytes of a body. One that comes packed, though none was asked for, is unpacked as far as that."""
    if response.is_stream_consumed:  # a transport that has read it already
        return response.content[:limit]
    read = bytearray()
    async for part in response.aiter_raw():
        read += part
        if len(read) >= limit:
            break
    raw = bytes(read[:limit])
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed in ("identity", ""):
        return raw
    try:
        return zlib.decompressobj(_UNPACKED[packed]).decompress(raw, limit)
    except (KeyError, zlib.error):
        return b""


def _unanswered(error: httpx.HTTPError) -> Retry:
    """In words: what kept a request from being answered."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return Retry(None, f"TLS fails: {_tls_words(cause)}", kind="tls")
        if isinstance(cause, socket.gaierror):
            return Retry(None, "the name of the host is not known to DNS", kind="dns")
        if isinstance(cause, ConnectionRefusedError):
            return Retry(None, "the connection is refused: nothing listens there", kind="connect")
    name = type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return Retry(None, f"the host cannot be reached: {name}", kind="connect")
    kind: Kind = "unexpected" if isinstance(error, httpx.RemoteProtocolError) else "no_answer"
    return Retry(None, f"no answer: {name}", kind=kind)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it, also within groups, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [each for each in (one.__cause__, one.__context__, *inner) if each is not None]


def _tls_words(error: ssl.SSLError) -> str:
    """``certificate has expired`` of an error of TLS; its own reason where it is about no certificate."""
    said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
    return truncate(one_line(said or type(error).__name__), 200)


def _said(response: httpx.Response, secrets: Iterable[SecretStr]) -> str:
    """What a receiver says about an error, for people."""
    if response.is_success:
        return ""
    cut = len(response.content) >= _REFUSAL_BYTES
    text = response.text[:-_LONGEST_SECRET] if cut else response.text  # half a secret is not recognised
    return truncate(one_line(without_secrets(text, secrets)), 300)
