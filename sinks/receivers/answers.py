"""What a receiver answered, and what follows from it: delivered, try again, or refused for good.

The rule for plain HTTP (RFC 9110; the vendors' differences are in their own modules): 2xx is delivered;
408, 429, 5xx, redirects and everything that is no answer at all is tried again; any other 4xx is refused,
because the same request would be refused again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.wording import one_line, truncate

__all__ = [
    "LONGEST_WAIT",
    "Answer",
    "Delivered",
    "Receipts",
    "Refused",
    "Retry",
    "SinkClient",
    "call",
    "classify",
    "spent_for",
    "wait_asked_for",
    "without_secrets",
]

#: A receiver that asks for more patience than this (seconds, one day) is not believed.
LONGEST_WAIT = 86_400.0


@dataclass(frozen=True)
class Delivered:
    """The receiver has it. ``receipt`` is what later commands of the incident need (ids, timestamps).

    ``pause``: seconds during which the receiver takes nothing more (its rate limit is spent), if it said so.
    """

    receipt: dict[str, str] = field(default_factory=dict)
    pause: float | None = None


@dataclass(frozen=True)
class Retry:
    """Not delivered, or not known to be. Try again, not sooner than ``after`` seconds where that is given.

    ``throttled``: the receiver is well but wants us slower; that is no failure of the receiver.
    """

    after: float | None
    why: str
    throttled: bool = False


@dataclass(frozen=True)
class Refused:
    """It will never be accepted as it is: a dead letter."""

    why: str


Answer = Delivered | Retry | Refused

#: Receipts of earlier deliveries of the same incident and epoch, by sink ("slack" -> {"ts": …}); empty if
#: none.
Receipts = Callable[[str], Mapping[str, str]]


class SinkClient(Protocol):
    """A receiver. ``send`` renders a command, sends it once and says what came of it; it does not retry."""

    async def send(self, command: Command, receipts: Receipts) -> Answer: ...


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait: the longest of Retry-After, X-RateLimit-Reset, ratelimit-reset.

    A Retry-After that is a date is taken relative to the response's own Date, so that no clock of ours
    matters.
    """
    waits = [
        seconds
        for name in ("retry-after", "x-ratelimit-reset", "ratelimit-reset")
        if (seconds := _seconds(headers.get(name), headers.get("date"))) is not None
    ]
    return min(max(waits), LONGEST_WAIT) if waits else None


def spent_for(headers: Mapping[str, str]) -> float | None:
    """Seconds until the rate limit is renewed, if a response says that it is spent; else None."""
    remaining = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")
    return wait_asked_for(headers) if remaining is not None and remaining.strip() == "0" else None


def classify(status: int, headers: Mapping[str, str], said: str = "") -> Retry | Refused | None:
    """What an HTTP status means for a delivery; None for 2xx. ``said``: the receiver's words, for people."""
    if 200 <= status < 300:
        return None
    why = f"HTTP {status}" + (f": {said}" if said else "")
    if status == 429:
        return Retry(wait_asked_for(headers), why, throttled=True)
    if status == 408 or status >= 500 or status < 400:
        return Retry(wait_asked_for(headers), why)
    return Refused(why)


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    secrets: Iterable[SecretStr] = (),
) -> httpx.Response | Retry | Refused:
    """One HTTP exchange; every failure is a value.

    No text that leaves here holds a secret: exceptions are told by their type alone (the text of some
    repeats header values), and secrets that a receiver echoes are struck out.
    """
    try:
        response = await http.request(
            method,
            url,
            content=body,
            headers={"Content-Type": "application/json", **(headers or {})},
            params=params,
        )
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        return Refused(f"the request cannot be made with these settings: {type(error).__name__}")
    except httpx.TimeoutException as error:
        return Retry(None, f"no answer in time: {type(error).__name__}")
    except httpx.HTTPError as error:
        return Retry(None, f"no answer: {type(error).__name__}")
    return classify(response.status_code, response.headers, _said(response, secrets)) or response


def without_secrets(text: str, secrets: Iterable[SecretStr]) -> str:
    """The text with ``***`` in place of every secret, as it is, trimmed, or escaped the way JSON does."""
    for secret in secrets:
        value = secret.get_secret_value()
        forms = {value, value.strip()}
        forms |= {json.dumps(form, ensure_ascii=ascii_)[1:-1] for form in forms for ascii_ in (True, False)}
        for form in sorted(forms - {""}, key=len, reverse=True):
            text = text.replace(form, "***")
    return text


def _said(response: httpx.Response, secrets: Iterable[SecretStr]) -> str:
    return "" if response.is_success else truncate(one_line(without_secrets(response.text, secrets)), 300)


def _seconds(value: str | None, date: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            if date is None:
                return None
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
