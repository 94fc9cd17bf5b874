"""What does Alertmanager need, how much does it accept, and which alert is pointless?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, TypeAdapter, ValidationError

from detectors.incidents import Command
from detectors.policy.types import Fault
from sinks.configuration import HttpUrl, Secret
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings

__all__ = ["AlertmanagerSettings"]

_URL = TypeAdapter[str](HttpUrl)
#: The most peers of a cluster.
_MOST = 16


def _peers(value: str) -> str:
    found = value.replace(",", " ").split()
    if not 1 <= len(found) <= _MOST:
        raise ValueError("must be the peers of a cluster with commas: https://am-1:9093, https://am-2:9093")
    for one in found:
        try:
            _URL.validate_python(one)
        except ValidationError as error:
            raise ValueError(f"has a peer that {error.errors()[0]['ctx']['error']}") from None
    return value


class AlertmanagerSettings(ReceiverSettings):
    """``WATCHOFFICER_ALERTMANAGER__...``. ``urls`` are all peers of a cluster, and no balancer before them."""

    urls: Annotated[str, AfterValidator(_peers)] | None = None
    user: str | None = None
    password: Secret | None = None

    title: ClassVar[str] = "Alertmanager"
    needed: ClassVar[tuple[str, ...]] = ("urls",)
    pace: ClassVar[Pace] = Pace(per_minute=300, burst=50, concurrency=4)

    def faults(self) -> Iterator[Fault]:
        if (self.user is None) != (self.password is None):
            yield Fault(("user",), "must be set together with the password")

    def client(self, means: Means) -> SinkClient:
        """The client of one cluster."""
        from sinks.receivers.alertmanager.client import Alertmanager  # reading settings needs no HTTP

        assert self.urls is not None
        return Alertmanager(
            means.http,
            urls=self.urls.replace(",", " ").split(),
            user=self.user,
            password=self.password,
            names=means.names,
            clock=means.clock,
        )

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """An alert is superseded by any later one of its incident, which carries the whole state."""
        return "superseded" if later else None
