"""Which receivers do the demo and the tests use? PagerDuty, Datadog and Slack as HTTP servers on loopback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sinks.sandbox.datadog import DatadogSandbox
from sinks.sandbox.pagerduty import PagerDutySandbox
from sinks.sandbox.receiver import Moment, Received, Receiver
from sinks.sandbox.slack import SlackSandbox

__all__ = [
    "DATADOG_API_KEY",
    "DATADOG_APP_KEY",
    "REST_TOKEN",
    "ROUTING_KEY",
    "SLACK_CHANNEL",
    "SLACK_TOKEN",
    "DatadogSandbox",
    "Moment",
    "PagerDutySandbox",
    "Received",
    "Receiver",
    "Sandbox",
    "SlackSandbox",
]

#: The keys that the sandboxes accept. They are not secret: only a sandbox knows them.
ROUTING_KEY = "sandbox0routing0key0of00032chars"
REST_TOKEN = "sandbox-rest-token"  # noqa: S105
DATADOG_API_KEY = "sandbox-api-key"
DATADOG_APP_KEY = "sandbox-application-key"
SLACK_TOKEN = "sandbox-token"  # noqa: S105
SLACK_CHANNEL = "C0SANDBOX"


@dataclass
class Sandbox:
    """The three sandbox receivers, as an asynchronous context manager that starts and stops them."""

    pagerduty: PagerDutySandbox
    datadog: DatadogSandbox
    slack: SlackSandbox

    @classmethod
    def make(
        cls,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        webhook_url: str | None = None,
        webhook_secrets: Sequence[str] = ("sandbox",),
        acknowledge_after: float | None = None,
    ) -> Self:
        """The three receivers, not started, with the keys of this module; arguments as of ``PagerDutySandbox``."""
        return cls(
            pagerduty=PagerDutySandbox(
                clock=clock,
                sleep=sleep,
                routing_key=ROUTING_KEY,
                rest_token=REST_TOKEN,
                webhook_url=webhook_url,
                webhook_secrets=webhook_secrets,
                acknowledge_after=acknowledge_after,
            ),
            datadog=DatadogSandbox(
                clock=clock, sleep=sleep, api_key=DATADOG_API_KEY, app_key=DATADOG_APP_KEY
            ),
            slack=SlackSandbox(clock=clock, sleep=sleep, token=SLACK_TOKEN, channel_id=SLACK_CHANNEL),
        )

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        return (self.pagerduty, self.datadog, self.slack)

    @property
    def timeline(self) -> list[Moment]:
        """The events at all three receivers, in order."""
        moments = [moment for receiver in self.receivers for moment in receiver.moments]
        return sorted(moments, key=lambda moment: moment.at)

    def settings(self) -> dict[str, str]:
        """The settings by which a worker sends to the started receivers, without the prefix ``WATCHOFFICER_``."""
        return {
            "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY__BASE_URL": self.pagerduty.url,
            "DATADOG__API_KEY": DATADOG_API_KEY,
            "DATADOG__APP_KEY": DATADOG_APP_KEY,
            "DATADOG__BASE_URL": self.datadog.url,
            "SLACK__TOKEN": SLACK_TOKEN,
            "SLACK__CHANNEL": SLACK_CHANNEL,
            "SLACK__BASE_URL": self.slack.base_url,
        }

    async def start(self, host: str = "127.0.0.1") -> None:
        """Start all receivers, each on a free port."""
        for receiver in self.receivers:
            await receiver.start(host)

    async def stop(self) -> None:
        """Stop all receivers and free their ports."""
        for receiver in self.receivers:
            await receiver.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
