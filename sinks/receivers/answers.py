"""What does a receiver's answer mean: delivered, try again, or refused for good?

The rule for plain HTTP (RFC 9110; each vendor's differences are in the vendor's package): 2xx may be delivered.
408, 425, 429, 5xx and missing answers are tried again. Any other 4xx is refused, because the same request would be
refused again, and so is a redirect: credentials are sent to no other place than the one that was set.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol

from pydantic import SecretStr

from detectors.incidents import Command

__all__ = [
    "Answer",
    "Delivered",
    "Kind",
    "Receipts",
    "Refused",
    "Retry",
    "SinkClient",
    "classify",
    "kind_of_answer",
    "spent_for",
    "unexpected",
    "wait_asked_for",
    "without_secrets",
]

#: What an answer amounts to, for counting.
Kind = Literal[
    "delivered",
    "throttled",
    "server_error",
    "refused",
    "no_answer",  # in time, or a connection that broke
    "dns",
    "connect",
    "tls",
    "unexpected",  # an answer that the receiver documents nowhere: that of a proxy, a redirect
]

#: A number of seconds from here on (32 years) is an instant: seconds since the epoch, or ms since the epoch.
_EPOCH = 1e9
_EPOCH_MS = 1e12


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
        kind: what the answer amounts to.
    """

    after: float | None
    why: str
    throttled: bool = False
    kind: Kind = "server_error"


@dataclass(frozen=True)
class Refused:
    """The receiver will never accept the command as it is: it becomes a dead letter. ``why`` is the reason."""

    why: str
    kind: Kind = "refused"


Answer = Delivered | Retry | Refused

#: Sink -> receipt of earlier deliveries of the same incident and epoch ("slack" -> {"ts": …}), or an empty
#: mapping.
Receipts = Callable[[str], Mapping[str, str]]


class SinkClient(Protocol):
    """A receiver. ``send`` renders a command, sends one request and classifies the answer; it does not retry.

    The texts by other people in a command are neutral already (``sinks.neutral``).
    """

    async def send(self, command: Command, receipts: Receipts) -> Answer: ...


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait: the longest of Retry-After, X-RateLimit-Reset, ratelimit-reset.

    A date, and a number that can only be an instant (a proxy's reset is often one), are taken relative to the
    response's own Date, so that the local clock does not matter; without a Date they say nothing. How long is waited
    at most is the caller's matter.
    """
    waits = [
        seconds
        for name in ("retry-after", "x-ratelimit-reset", "ratelimit-reset")
        if (seconds := _seconds(headers.get(name), headers.get("date"))) is not None
    ]
    return max(waits) if waits else None


def spent_for(headers: Mapping[str, str]) -> float | None:
    """Seconds until the rate limit is renewed, if a response says that it is spent; else None."""
    remaining = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")
    return wait_asked_for(headers) if remaining is not None and remaining.strip() == "0" else None


def classify(status: int, headers: Mapping[str, str], said: str = "") -> Retry | Refused | None:
    """What an HTTP status means for a delivery; None for 2xx. ``said`` is the text of the answer, for people."""
    if 200 <= status < 300:
        return None
    why = f"HTTP {status}" + (f": {said}" if said else "")
    if status in (420, 429):  # 420 is Statuspage's
        return Retry(wait_asked_for(headers), why, throttled=True, kind="throttled")
    if status in (408, 425) or status >= 500:  # 425: it was sent too early (RFC 8470)
        return Retry(wait_asked_for(headers), why)
    if status < 400:
        return Refused(
            f"{why}: it redirects elsewhere, and requests go only to the address that is set", "unexpected"
        )
    return Refused(why)


def unexpected(why: str) -> Retry:
    """An answer that is not the receiver's own, or half of one: nobody knows whether it got the command."""
    return Retry(None, why, kind="unexpected")


def kind_of_answer(answer: Answer) -> Kind:
    """What an answer amounts to, for counting."""
    return "delivered" if isinstance(answer, Delivered) else answer.kind


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
    """Seconds of one header; None if it says nothing."""
    if value is None:
        return None
    try:
        said = _instant(date) if date is not None else None
    except ValueError:
        said = None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = _instant(value)
        except ValueError:
            return None
    if not math.isfinite(seconds):
        return None
    if seconds >= _EPOCH_MS:
        seconds /= 1000
    if seconds >= _EPOCH:
        if said is None:
            return None
        seconds -= said
    return max(seconds, 0.0)


def _instant(date: str) -> float:
    """Seconds since the epoch of a date in a header.

    Raises:
        ValueError: it is none.
    """
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, IndexError, OverflowError) as error:
        raise ValueError(date) from error
