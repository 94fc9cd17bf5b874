"""How does a thread notify PagerDuty and Slack without the event loop, the outbox and the lease?

Each request has a deadline of its own and reads a few KB of an answer; no text that is returned holds a secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
import msgspec

from sinks.receivers.answers import without_secrets
from sinks.receivers.pagerduty import wording as pagerduty
from sinks.receivers.slack import wording as slack
from sinks.wording import ended, one_line, truncate
from streams.settings.settings import Settings
from streams.watchdog.announcer import OLD_KEY, Teller
from streams.watchdog.blindness import Statement

__all__ = ["PagerDutyTeller", "Request", "SlackTeller", "request", "tellers"]

_DEADLINE = 10.0  # seconds, of a whole request
_STEP = 5.0  # seconds, of connecting and of each wait for bytes
_ANSWER_BYTES = 8 << 10


#: Kind of blindness -> the address of its runbook; None where there is none.
Runbook = Callable[[str], str | None]


class Request(Protocol):
    """Makes an HTTP request."""

    def __call__(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the first KB of the answer; 0 and what went wrong, in words, if there was no answer."""
        ...


def request(
    client: httpx.Client, monotonic: Callable[[], float] = time.monotonic, *, deadline: float = _DEADLINE
) -> Request:
    """The way to make requests with a client, each within ``deadline`` seconds, however slowly an answer comes."""

    def make(
        method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        ends, read = monotonic() + deadline, b""
        try:
            plain = {"Accept-Encoding": "identity", **(headers or {})}  # no answer grows when it is unpacked
            with client.stream(method, url, content=body, headers=plain, timeout=_STEP) as response:
                for part in response.iter_bytes():
                    read += part
                    if len(read) >= _ANSWER_BYTES or monotonic() > ends:
                        break
                return response.status_code, read[:_ANSWER_BYTES]
        except httpx.TimeoutException as error:
            return 0, f"no answer in time: {type(error).__name__}".encode()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return 0, f"no answer: {type(error).__name__}".encode()

    return make


class PagerDutyTeller:
    """Opens, repeats and resolves one alert a kind of blindness.

    Args:
        make: makes the request.
        settings: the routing key and the address.
        prefix: of dedup keys.
        worker: names this worker, for people.
        runbook: kind of blindness -> the address of its runbook.
    """

    name = "pagerduty"
    keeps = True

    def __init__(
        self, make: Request, settings: Settings, *, prefix: str, worker: str, runbook: Runbook
    ) -> None:
        assert settings.pagerduty.routing_key is not None
        self._make = make
        self._secret = settings.pagerduty.routing_key
        self._url = settings.pagerduty.base_url.rstrip("/") + "/v2/enqueue"
        self._prefix = prefix
        self._worker = worker
        self._runbook = runbook

    def _key(self, kind: str) -> str:
        return f"{self._prefix}:blind" if kind == OLD_KEY else f"{self._prefix}:blind:{kind}"

    def blind(self, said: Statement) -> str | None:
        """Open an alert, or repeat it at the same key."""
        return self._send(
            pagerduty.render_blind(
                self._key(said.why),
                at=said.at,
                why=said.why,
                sentence=said.sentence,
                remedy=_remedy(said, self._runbook),
                worker=self._worker,
            )
        )

    def seeing(self, why: str, at: int) -> str | None:
        """Resolve an alert; one that is not open stays as it is."""
        return self._send(pagerduty.render_seeing(self._key(why)))

    def _send(self, event: dict[str, Any]) -> str | None:
        body = msgspec.json.encode({"routing_key": self._secret.get_secret_value(), **event})
        status, answer = self._make(
            "POST", self._url, body=body, headers={"Content-Type": "application/json"}
        )
        return None if status == 202 else _words(status, answer, self._secret)


class SlackTeller:
    """Posts one message when the watch becomes blind, and one when it sees again.

    Args:
        make: makes the request.
        settings: the token, the channel and the address.
        worker: names this worker, for people.
        runbook: kind of blindness -> the address of its runbook.
    """

    name = "slack"
    keeps = False

    def __init__(self, make: Request, settings: Settings, *, worker: str, runbook: Runbook) -> None:
        assert settings.slack.token is not None
        assert settings.slack.channel is not None
        self._make = make
        self._secret = settings.slack.token
        self._channel = settings.slack.channel
        self._base = settings.slack.base_url.rstrip("/") + "/"
        self._worker = worker
        self._runbook = runbook

    def blind(self, said: Statement) -> str | None:
        """Post that the watch is blind."""
        return self._send(
            slack.render_blind(
                channel=self._channel,
                at=said.at,
                why=said.why,
                sentence=said.sentence,
                remedy=_remedy(said, self._runbook),
                worker=self._worker,
            )
        )

    def seeing(self, why: str, at: int) -> str | None:
        """Post that the watch sees again."""
        return self._send(slack.render_seeing(channel=self._channel, at=at, why=why, worker=self._worker))

    def _send(self, call: slack.Request) -> str | None:
        headers = {
            "Authorization": f"Bearer {self._secret.get_secret_value()}",
            "Content-Type": "application/json; charset=utf-8",
        }
        status, answer = self._make(
            "POST", self._base + call.method, body=msgspec.json.encode(call.body), headers=headers
        )
        if status == 200 and _is_ok(answer):
            return None
        return _words(status, answer, self._secret)


def tellers(
    settings: Settings, make: Request, *, prefix: str, worker: str, runbook: Runbook = lambda why: None
) -> list[Teller]:
    """The ways to PagerDuty and Slack, as far as they are on."""
    on = settings.sinks()
    ways: list[Teller] = []
    if "pagerduty" in on:
        ways.append(PagerDutyTeller(make, settings, prefix=prefix, worker=worker, runbook=runbook))
    if "slack" in on:
        ways.append(SlackTeller(make, settings, worker=worker, runbook=runbook))
    return ways


def _remedy(said: Statement, runbook: Runbook) -> str:
    """What to do, with the address of the runbook."""
    address = runbook(said.why)
    return said.remedy if address is None else f"{ended(said.remedy)} Runbook: {address}".lstrip()


def _is_ok(answer: bytes) -> bool:
    """Whether Slack has taken a message; an answer of which only the first KB were read begins with ``"ok":true``."""
    try:
        said = msgspec.json.decode(answer)
    except ValueError:
        return answer.replace(b" ", b"").lstrip().startswith(b'{"ok":true')
    return isinstance(said, dict) and said.get("ok") is True


def _words(status: int, answer: bytes, secret: Any) -> str:
    said = truncate(one_line(without_secrets(answer.decode("utf-8", "replace"), (secret,))), 200)
    return said if status == 0 else f"HTTP {status}: {said}"
