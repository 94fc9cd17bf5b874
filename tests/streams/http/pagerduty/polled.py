"""How do tests poll PagerDuty? A sandbox of it, a clock that they move, and the inputs that a poll asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import httpx
from pydantic import SecretStr

from detectors.incidents import IncidentInput
from sinks.receivers.pagerduty.rest import PagerDutyRest
from sinks.sandbox import REST_TOKEN, ROUTING_KEY, PagerDutySandbox
from streams.http.pagerduty.poll import StatusPoll
from streams.http.views import Views
from tests.sinks.samples import Time

__all__ = ["Polled", "polled"]


@dataclass
class Polled:
    """PagerDuty without webhooks, and a poll of it.

    Attributes:
        made: the inputs that the last poll asked for.
    """

    pagerduty: PagerDutySandbox
    http: httpx.AsyncClient
    time: Time
    poll: StatusPoll
    views: Views
    made: list[IncidentInput] = field(default_factory=list)

    async def after(self, millis: int) -> None:
        """Poll so much later."""
        self.time.now += millis
        self.made.clear()
        await self.poll.poll()


P = TypeVar("P", bound=Polled)


@asynccontextmanager
async def polled(
    kind: type[P], mine: Callable[[str], bool], services: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[P]:
    """A poll that looks after the incidents of which ``mine`` is true.

    Args:
        kind: what is made.
        mine: of the id of an incident.
        services: service of PagerDuty -> scope.
    """
    time, views = Time(), Views()
    made: list[IncidentInput] = []

    async def submit(value: IncidentInput) -> None:
        made.append(value)

    sandbox = PagerDutySandbox(
        clock=time.clock, sleep=time.sleep, routing_key=ROUTING_KEY, rest_token=REST_TOKEN
    )
    await sandbox.start()
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            rest = PagerDutyRest(
                http, token=SecretStr(REST_TOKEN), sender="a@b.gov", base_url=sandbox.url, clock=time.clock
            )
            poll = StatusPoll(
                rest.list,
                views,
                submit,
                prefix=lambda: "watchofficer",
                mine=mine,
                clock=time.clock,
                services=services,
            )
            yield kind(sandbox, http, time, poll, views, made)
    finally:
        await sandbox.stop()
