"""Which clients speak to the sandbox receivers, in tests and in simulations?"""

from __future__ import annotations

from collections.abc import Callable

import httpx
from pydantic import SecretStr

from sinks import sandbox
from sinks.receivers.answers import SinkClient
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.pagerduty.rest import PagerDutyRest
from sinks.receivers.slack.client import Slack
from sinks.sandbox import Sandbox
from tests.sinks.samples import NAMES

__all__ = ["clients_of"]


def clients_of(
    receivers: Sandbox, http: httpx.AsyncClient, clock: Callable[[], int], *, rest: bool = False
) -> dict[str, SinkClient]:
    """Return the shipped clients of sandbox receivers, by receiver.

    Args:
        receivers: the sandboxes.
        http: sends the requests.
        clock: ms since the epoch.
        rest: whether there is a token of PagerDuty's REST API.
    """
    clients: dict[str, SinkClient] = {
        "pagerduty": PagerDuty(
            http, routing_key=SecretStr(sandbox.ROUTING_KEY), base_url=receivers.pagerduty.url, names=NAMES
        ),
        "datadog": Datadog(
            http,
            api_key=SecretStr(sandbox.DATADOG_API_KEY),
            app_key=SecretStr(sandbox.DATADOG_APP_KEY),
            base_url=receivers.datadog.url,
            names=NAMES,
            clock=clock,
        ),
        "slack": Slack(
            http,
            token=SecretStr(sandbox.SLACK_TOKEN),
            channel=sandbox.SLACK_CHANNEL,
            base_url=receivers.slack.base_url,
            names=NAMES,
            clock=clock,
        ),
    }
    if rest:
        clients["pagerduty:rest"] = PagerDutyRest(
            http,
            token=SecretStr(sandbox.REST_TOKEN),
            sender="watch@example.gov",
            base_url=receivers.pagerduty.url,
            names=NAMES,
            clock=clock,
        )
    return clients
