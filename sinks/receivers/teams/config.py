"""What does Microsoft Teams need, how much does it accept, and which card is pointless?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, SecretStr, TypeAdapter, ValidationError

from detectors.incidents import Command
from sinks.configuration import SecretUrl
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings
from sinks.receivers.named import by_name

__all__ = ["TeamsSettings"]


def _channels(value: SecretStr) -> SecretStr:
    for one in by_name(value.get_secret_value()).values():
        try:
            TypeAdapter(SecretUrl).validate_python(one)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(
                f"gives a name an address that {first.get('ctx', {}).get('error', 'is none')}"
            ) from None
    return value


class TeamsSettings(ReceiverSettings):
    """``WATCHOFFICER_TEAMS__...``. The address of a workflow is its secret.

    ``channels`` is a JSON object of further addresses: ``{"support": "https://…"}`` is ``teams:support`` in the
    policy's routes.
    """

    url: SecretUrl | None = None
    channels: Annotated[SecretStr, AfterValidator(_channels)] | None = None

    title: ClassVar[str] = "Microsoft Teams"
    needed: ClassVar[tuple[str, ...]] = ("url",)
    # Teams throttles more than 4 requests a second; one at a time keeps the order within a channel.
    pace: ClassVar[Pace] = Pace(per_minute=120, burst=2, concurrency=1)
    shows_chart: ClassVar[bool] = True

    def client(self, means: Means) -> SinkClient:
        """The client of one channel."""
        from sinks.receivers.teams.client import Teams  # reading settings needs no HTTP

        assert self.url is not None
        return Teams(means.http, url=self.url, names=means.names)

    def named(self) -> Mapping[str, Self]:
        """The further channels, by name."""
        if self.channels is None:
            return {}
        found = by_name(self.channels.get_secret_value())
        return {name: TypeAdapter(type(self)).validate_python({"url": url}) for name, url in found.items()}

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A routine card is superseded by any later one, as no card can be edited."""
        return "superseded" if command.kind == "update" and later else None
