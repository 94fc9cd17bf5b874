"""What does PagerDuty need, how much does it accept, and which page is pointless?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace
from pydantic import AfterValidator, Field, SecretStr

from detectors.incidents import Command
from detectors.notification.plan import PAGERDUTY_REST
from sinks.configuration import HeaderSecret, HttpUrl, formed
from sinks.receivers.answers import Receipts, Refused, Retry, SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings

if TYPE_CHECKING:
    import httpx

__all__ = ["PagerDutySettings"]


_USER = "must be the e-mail address of a user in PagerDuty: watch@example.gov"


def _routing_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9]{32}", value.get_secret_value(), re.ASCII):
        raise ValueError("must be the 32 letters and digits of an Events API v2 integration key")
    return value


def _services(value: str) -> str:
    _scopes_of(value)
    return value


def _scopes_of(text: str) -> dict[str, str]:
    """Id of a service -> scope.

    Raises:
        ValueError: the text names none, or something else.
    """
    pairs = [part.partition("=") for part in text.replace(",", " ").split()]
    if not pairs or not all(
        re.fullmatch(r"[A-Z0-9]{1,30}", service) and re.fullmatch(r"[a-z][a-z0-9_.*/-]{0,199}", scope)
        for service, _, scope in pairs
    ):
        raise ValueError("must be ids of services with scopes, with commas: PABC123=prod/ssoe, PDEF456=prod")
    return {service: scope for service, _, scope in pairs}


class PagerDutySettings(ReceiverSettings):
    """``WATCHOFFICER_PAGERDUTY__...``. The webhook secret verifies the deliveries of PagerDuty's webhooks.

    With a token of the REST API and the e-mail address of a user in whose name it makes changes there is a further
    receiver, ``pagerduty:rest``, for notes, titles and priorities. Its lane is its own, so that it holds up no page.
    ``services`` gives services their scopes: maintenance windows on them are maintenance here.
    """

    routing_key: Annotated[SecretStr, AfterValidator(_routing_key)] | None = None
    base_url: HttpUrl = "https://events.pagerduty.com"
    webhook_secret: HeaderSecret | None = None
    rest_token: HeaderSecret | None = None
    rest_from: Annotated[str, formed(r"[!-?A-~]+@[!-?A-~]+", _USER), Field(max_length=254)] | None = None
    rest_url: HttpUrl = "https://api.pagerduty.com"
    services: Annotated[str, AfterValidator(_services)] | None = None

    title: ClassVar[str] = "PagerDuty"
    needed: ClassVar[tuple[str, ...]] = ("routing_key",)
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = (
        "acknowledgements in PagerDuty are not received",
        ("webhook_secret",),
    )
    # PagerDuty allows 120 calls a minute and integration key: 20 at once, then 96 a minute stay below.
    pace: ClassVar[Pace] = Pace(per_minute=96, burst=20, concurrency=6)
    longest_wait: ClassVar[float] = 60.0  # a page cannot wait longer
    shows_links: ClassVar[bool] = True
    shows_chart: ClassVar[bool] = True

    def scopes(self) -> dict[str, str]:
        """Id of a service in PagerDuty -> the scope that its maintenance windows are about."""
        return _scopes_of(self.services) if self.services is not None else {}

    def gaps(self) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Beside what is lacking anyway: a token of the REST API is of no use without a user, nor is a user alone."""
        half = (self.rest_token is None) != (self.rest_from is None)
        unused = ("PagerDuty's REST API is not used", ("rest_token", "rest_from"))
        return (*super().gaps(), *((unused,) if half else ()))

    def client(self, means: Means) -> SinkClient:
        """The client of PagerDuty."""
        from sinks.receivers.pagerduty.client import PagerDuty  # reading settings needs no HTTP

        assert self.routing_key is not None
        return PagerDuty(means.http, routing_key=self.routing_key, base_url=self.base_url, names=means.names)

    def named(self) -> Mapping[str, ReceiverSettings]:
        """The REST API, as ``rest``, where there is a token and a user for it."""
        if self.rest_token is None or self.rest_from is None:
            return {}
        fields = {name: getattr(self, name) for name in PagerDutySettings.model_fields}
        return {"rest": _RestSettings.model_construct(**fields)}

    @classmethod
    def lane(cls, command: Command) -> str:
        """Alerts of different keys are different things to PagerDuty: none waits for another's, nor for a note."""
        return f"{command.dedup_key}:notes" if command.action == "note" else command.dedup_key

    @classmethod
    def haste(cls, command: Command) -> int:
        """Pages go before acknowledgements and resolutions, and those before notes and changes."""
        return {"trigger": 0, "note": 2, "change": 2}.get(command.action, 1)

    @classmethod
    def relinked(cls, latest: Command, receipts: Receipts) -> Command | None:
        """A note with Slack's thread, which was not known when the page went out; never another trigger."""
        paged = receipts("pagerduty")
        shown = paged.get("shows", "slack").split()
        over = latest.incident.state in ("resolved", "closed")
        if over or "slack" in shown or not receipts("slack").get("permalink"):
            return None
        return replace(
            latest,
            id=f"{latest.incident_id}:{latest.epoch}:links-slack:{PAGERDUTY_REST}:note",
            sink=PAGERDUTY_REST,
            action="note",
            dedup_key=paged["dedup_key"],
            kind="links",
            reason="",
            by=None,
        )

    @classmethod
    def awaits(cls, command: Command) -> tuple[str, float] | None:
        """A page shows Slack's thread, if that is known half a second later."""
        return ("slack", 0.5) if command.action == "trigger" else None

    @classmethod
    def missed(cls, command: Command, reason: str) -> str | None:
        """A page that woke nobody is told."""
        if command.action != "trigger":
            return None
        return f"PagerDuty was not told of this, so it woke nobody ({command.level}, {command.dedup_key}): {reason}"

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A page is dropped if its incident is resolved, so that nobody is woken for an incident that is over.

        The resolution is still sent. PagerDuty ignores a resolution of an unknown alert; if an earlier run was killed
        between sending the page and recording it, the resolution closes that alert.

        What could not be sent holds up no page: a trigger at the same key says how it stands now, so it supersedes a
        trigger or an acknowledgement; after a resolution nothing is left to acknowledge.
        """
        if command.action == "update":  # brings title and priority up to date; a later one does too
            return "superseded" if any(other.action == "update" for other in later) else None
        actions = {other.action for other in later}
        if command.action == "trigger" and "resolve" in actions:
            return "dropped"
        state = command.action in ("trigger", "acknowledge")
        return "superseded" if state and actions & {"trigger", "resolve"} else None


class _RestSettings(PagerDutySettings):
    """How notes, titles and priorities are written into PagerDuty over its REST API."""

    title: ClassVar[str] = "PagerDuty's REST API"
    needed: ClassVar[tuple[str, ...]] = ("rest_token", "rest_from")
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    shows_chart: ClassVar[bool] = False

    def client(self, means: Means) -> SinkClient:
        """The client of the REST API."""
        from sinks.receivers.pagerduty.rest import PagerDutyRest  # reading settings needs no HTTP

        assert self.rest_token is not None
        assert self.rest_from is not None
        return PagerDutyRest(
            means.http,
            token=self.rest_token,
            sender=self.rest_from,
            base_url=self.rest_url,
            names=means.names,
            clock=means.clock,
        )

    async def tried(self, http: httpx.AsyncClient) -> str | Retry | Refused | None:
        """Ask PagerDuty's REST API what the token may do (abilities)."""
        from sinks.receivers.pagerduty.rest import PagerDutyRest  # reading settings needs no HTTP

        assert self.rest_token is not None
        assert self.rest_from is not None
        rest = PagerDutyRest(
            http,
            token=self.rest_token,
            sender=self.rest_from,
            base_url=self.rest_url,
            clock=lambda: 0,  # nothing that is asked here has a time
        )
        answer = await rest.list("/abilities")
        return "the token is known" if isinstance(answer, dict) else answer

    def named(self) -> Mapping[str, ReceiverSettings]:
        """None: this is the further one."""
        return {}
