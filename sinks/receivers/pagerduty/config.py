"""What does PagerDuty need, how much does it accept, and which page is pointless?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, SecretStr

from detectors.incidents import Command
from sinks.configuration import HeaderSecret, HttpUrl
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings

__all__ = ["PagerDutySettings"]


def _routing_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9]{32}", value.get_secret_value(), re.ASCII):
        raise ValueError("must be the 32 letters and digits of an Events API v2 integration key")
    return value


class PagerDutySettings(ReceiverSettings):
    """``WATCHOFFICER_PAGERDUTY__...``. The webhook secret verifies the deliveries of PagerDuty's webhooks."""

    routing_key: Annotated[SecretStr, AfterValidator(_routing_key)] | None = None
    base_url: HttpUrl = "https://events.pagerduty.com"
    webhook_secret: HeaderSecret | None = None
    rest_token: HeaderSecret | None = None

    title: ClassVar[str] = "PagerDuty"
    needed: ClassVar[tuple[str, ...]] = ("routing_key",)
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = (
        "acknowledgements in PagerDuty are not received",
        ("webhook_secret",),
    )
    # PagerDuty allows 120 calls a minute and integration key: 20 at once, then 100 a minute stay below.
    pace: ClassVar[Pace] = Pace(per_minute=100, burst=20, concurrency=4)

    def client(self, means: Means) -> SinkClient:
        """The client of PagerDuty."""
        from sinks.receivers.pagerduty.client import PagerDuty  # reading settings needs no HTTP

        assert self.routing_key is not None
        return PagerDuty(means.http, routing_key=self.routing_key, base_url=self.base_url, names=means.names)

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A page is dropped if its incident is resolved, so that nobody is woken for an incident that is over.

        The resolution is still sent. PagerDuty ignores a resolution of an unknown alert; if an earlier run was killed
        between sending the page and recording it, the resolution closes that alert.
        """
        over = command.action == "trigger" and any(other.action == "resolve" for other in later)
        return "dropped" if over else None
