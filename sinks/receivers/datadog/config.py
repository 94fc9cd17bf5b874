"""What does Datadog need, how much does it accept, and which change of an incident is pointless?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
from pydantic import AfterValidator

from detectors.incidents import Command
from sinks.configuration import HeaderSecret, HttpUrl
from sinks.receivers.answers import Refused, Retry, SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings
from sinks.receivers.datadog.fields import field_rules

if TYPE_CHECKING:
    import httpx

__all__ = ["DatadogSettings"]


#: What Datadog calls users by: a UUID.
_UserId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


def _site(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value, re.ASCII):
        raise ValueError("must be a Datadog site such as datadoghq.com or ddog-gov.com")
    return value


def _fields(value: str) -> str:
    field_rules(value)
    return value


def _people(value: str) -> str:
    _ids_of(value)
    return value


def _ids_of(text: str) -> dict[str, str]:
    """Name -> id in Datadog.

    Raises:
        ValueError: the text is no such JSON object.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, _UserId])
    except ValueError:
        raise ValueError('must be a JSON object of names and ids of users, {"Ada Byron": "<uuid>"}') from None


class DatadogSettings(ReceiverSettings):
    """``WATCHOFFICER_DATADOG__...``. ``base_url`` replaces both hosts that follow from ``site``.

    ``fields`` is a JSON object of further fields: ``{"Priority": {"type": "dropdown", "from": "priority"}}``.
    ``people`` is one of names and these people's ids in Datadog, who may be commanders there.
    """

    api_key: HeaderSecret | None = None
    app_key: HeaderSecret | None = None
    site: Annotated[str, AfterValidator(_site)] = "datadoghq.com"
    base_url: HttpUrl | None = None
    fields: Annotated[str, AfterValidator(_fields)] | None = None
    people: Annotated[str, AfterValidator(_people)] | None = None

    title: ClassVar[str] = "Datadog"
    needed: ClassVar[tuple[str, ...]] = ("api_key",)
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = (
        "Datadog gets events but no incidents",
        ("app_key",),
    )
    # Datadog states its limit in X-RateLimit headers.
    pace: ClassVar[Pace] = Pace(per_minute=0, burst=1, concurrency=4)
    shows_chart: ClassVar[bool] = True

    def client(self, means: Means) -> SinkClient:
        """The client of Datadog."""
        from sinks.receivers.datadog.client import Datadog  # reading settings needs no HTTP

        assert self.api_key is not None
        return Datadog(
            means.http,
            api_key=self.api_key,
            app_key=self.app_key,
            site=self.site,
            base_url=self.base_url,
            names=means.names,
            clock=means.clock,
            fields=field_rules(self.fields) if self.fields is not None else {},
            people=_ids_of(self.people) if self.people is not None else {},
        )

    async def tried(self, http: httpx.AsyncClient) -> str | Retry | Refused | None:
        """Ask Datadog whether it knows the keys (validate, validate_keys)."""
        from sinks.receivers.datadog.client import Datadog  # reading settings needs no HTTP

        assert self.api_key is not None
        datadog = Datadog(
            http,
            api_key=self.api_key,
            app_key=self.app_key,
            site=self.site,
            base_url=self.base_url,
            clock=lambda: 0,  # nothing that is sent here has a time
        )
        return await datadog.validated()

    @classmethod
    def haste(cls, command: Command) -> int:
        """What is new goes before what changes."""
        return 0 if command.action in ("event", "incident_create") else 1

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A change of an incident is superseded by a newer one, which carries the whole state."""
        newer = ("incident_update", "incident_resolve")
        changed = command.action == "incident_update" and any(other.action in newer for other in later)
        return "superseded" if changed else None
