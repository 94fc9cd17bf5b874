"""The receivers that a deployment has turned on: clients made from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Receipts, SinkClient
from sinks.receivers.datadog import Datadog
from sinks.receivers.pagerduty import PagerDuty
from sinks.receivers.slack import Slack
from streams.runtime.clocks import Clock
from streams.runtime.lease import Lease, LeaseLost
from streams.settings.settings import Settings

__all__ = ["LeaseGuard", "receivers"]


def receivers(settings: Settings, http: httpx.AsyncClient, clock: Clock) -> Mapping[str, SinkClient]:
    """Clients by sink."""
    on = settings.sinks()
    clients: dict[str, SinkClient] = {}
    if "pagerduty" in on and settings.pagerduty.routing_key:
        clients["pagerduty"] = PagerDuty(
            http, routing_key=settings.pagerduty.routing_key, base_url=settings.pagerduty.base_url
        )
    if "datadog" in on and settings.datadog.api_key:
        clients["datadog"] = Datadog(
            http,
            api_key=settings.datadog.api_key,
            app_key=settings.datadog.app_key,
            site=settings.datadog.site,
            base_url=settings.datadog.base_url,
            clock=clock,
        )
    if "slack" in on and settings.slack.token and settings.slack.channel:
        clients["slack"] = Slack(
            http,
            token=settings.slack.token,
            channel=settings.slack.channel,
            base_url=settings.slack.base_url,
        )
    return clients


class LeaseGuard:
    """A receiver to which nothing is sent without the lease."""

    def __init__(self, client: SinkClient, lease: Lease) -> None:
        self._client = client
        self._lease = lease

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Send a command through the client; without the lease this never returns, as the process must end."""
        try:
            self._lease.check()
        except LeaseLost:
            await asyncio.Event().wait()
        return await self._client.send(command, receipts)
