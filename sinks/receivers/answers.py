"""What does a receiver's answer mean: delivered, try again, or refused for good?

The rule for plain HTTP (RFC 9110; each vendor's differences are in the vendor's module): 2xx is delivered.
408, 429, 5xx, redirects and missing answers are tried again. Any other 4xx is refused, because the same
request would be refused again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Protocol

from pydantic import SecretStr

from detectors.incidents import Command

__all__ = [
    "LONGEST_WAIT",
    "Answer",
    "Delivered",
    "Receipts",
    "Refused",
    "Retry",
    "SinkClient",
    "classify",
    "spent_for",
    "wait_asked_for",
    "without_secrets",
]

#: The longest wait that a receiver may ask for, seconds (one day); a longer one is cut to this.
LONGEST_WAIT = 86_400.0


@dataclass(frozen=True)
class Delivered:
    """The receiver has accepted the command.

    Attributes:
        receipt: identifiers that later commands of the incident need (ids, timestamps).
        pause: seconds until the receiver accepts the next request, if it stated that its rate limit is spent.
    """

    receipt: dict[str, str] = field(default_factory=dict)
    pause: float | None = None


@dataclass(frozen=True)
class Retry:
    """The command was not delivered, or its delivery is unknown: try again.

    Attributes:
        after: seconds to wait at least, if the receiver stated them.
        why: the reason, for logs and people.
        throttled: the receiver works and asks for fewer requests; the circuit breaker counts no failure.
    """

    after: float | None
    why: str
    throttled: bool = False


@dataclass(frozen=True)
class Refused:
    """The receiver will never accept the command as it is: it becomes a dead letter. ``why`` is the reason."""

    why: str


Answer = Delivered | Retry | Refused

#: Sink -> receipt of earlier deliveries of the same incident and epoch ("slack" -> {"ts": …}), or an empty
#: mapping.
Receipts = Callable[[str], Mapping[str, str]]


class SinkClient(Protocol):
    """A receiver. ``send`` renders a command, sends one request and classifies the answer; it does not retry."""

    async def send(self, command: Command, receipts: Receipts) -> Answer: ...


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait: the longest of Retry-After, X-RateLimit-Reset, ratelimit-reset.

    A Retry-After that is a date is taken relative to the response's own Date, so that the local clock does
    not matter.
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
    """What an HTTP status means for a delivery; None for 2xx. ``said`` is the text of the answer, for people."""
    if 200 <= status < 300:
        return None
    why = f"HTTP {status}" + (f": {said}" if said else "")
    if status == 429:
        return Retry(wait_asked_for(headers), why, throttled=True)
    if status == 408 or status >= 500 or status < 400:
        return Retry(wait_asked_for(headers), why)
    return Refused(why)


def without_secrets(text: str, secrets: Iterable[SecretStr]) -> str:
    """The text with ``***`` in place of every secret, as it is, trimmed, or escaped the way JSON does."""
    for secret in secrets:
        value = secret.get_secret_value()
        forms = {value, value.strip()}
        forms |= {json.dumps(form, ensure_ascii=ascii_)[1:-1] for form in forms for ascii_ in (True, False)}
        for form in sorted(forms - {""}, key=len, reverse=True):
            text = text.replace(form, "***")
    return text


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
