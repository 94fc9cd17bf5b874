"""What does Slack need, how much does it accept, and which edit is pointless?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace
from pydantic import AfterValidator, Field

from detectors.incidents import Command
from sinks.configuration import HeaderSecret, HttpUrl, formed
from sinks.receivers.answers import Receipts, Refused, Retry, SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings
from sinks.receivers.links import found_links

if TYPE_CHECKING:
    import httpx

__all__ = ["SlackSettings"]

_ROLE = re.compile(r"([UW][A-Z0-9]{1,30}|\*)=(none|read|respond)")
#: Role -> the roles that it includes.
_INCLUDED: dict[str, tuple[str, ...]] = {"none": (), "read": ("read",), "respond": ("read", "respond")}


def _roles(value: str) -> str:
    entries = value.replace(",", " ").split()
    if not entries or not all(_ROLE.fullmatch(entry) for entry in entries):
        raise ValueError("must be ids of people with none, read or respond: U0123=respond, *=read")
    return value


class SlackSettings(ReceiverSettings):
    """``WATCHOFFICER_SLACK__...``. ``channel`` is an id (C0123456789) or a name.

    ``signing_secret`` verifies what people press and type. ``team`` (T0123) is the only workspace that is heard.
    ``roles`` says who may read or respond: ``U0123=respond, *=read``; without it everybody who is heard responds.
    """

    token: HeaderSecret | None = None
    channel: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    base_url: HttpUrl = "https://slack.com/api/"
    signing_secret: HeaderSecret | None = None
    team: Annotated[str, formed(r"[TE][A-Z0-9]{1,30}", "must be the id of a workspace: T0123ABCD")] | None = (
        None
    )
    roles: Annotated[str, AfterValidator(_roles)] = "*=respond"

    title: ClassVar[str] = "Slack"
    needed: ClassVar[tuple[str, ...]] = ("token", "channel")
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = (
        "messages in Slack have no buttons, and /watch is not heard",
        ("signing_secret",),
    )
    # Slack allows one message a second and channel. Two at a time, so that one without an answer holds up no other.
    pace: ClassVar[Pace] = Pace(per_minute=60, burst=1, concurrency=2)
    shows_links: ClassVar[bool] = True
    shows_chart: ClassVar[bool] = True

    def client(self, means: Means) -> SinkClient:
        """The client of Slack."""
        from sinks.receivers.slack.client import Slack  # reading settings needs no HTTP

        assert self.token is not None
        assert self.channel is not None
        return Slack(
            means.http,
            token=self.token,
            channel=self.channel,
            base_url=self.base_url,
            names=means.names,
            clock=means.clock,
            buttons=self.signing_secret is not None,
        )

    async def tried(self, http: httpx.AsyncClient) -> str | Retry | Refused | None:
        """Ask Slack whose token it is (auth.test)."""
        from sinks.receivers.slack.client import Slack  # reading settings needs no HTTP

        assert self.token is not None
        assert self.channel is not None
        return await Slack(http, token=self.token, channel=self.channel, base_url=self.base_url).identity()

    def may(self, user: str, role: str) -> bool:
        """Whether a person, by the id in Slack, has a role: ``read`` or ``respond``, which includes it."""
        roles: dict[str, str] = dict(_ROLE.findall(self.roles))
        return role in _INCLUDED[roles.get(user) or roles.get("*", "none")]

    @classmethod
    def haste(cls, command: Command) -> int:
        """What the channel shows goes before lines of threads, and those before edits."""
        return {"post": 0, "broadcast": 0, "reply": 1, "update": 2}.get(command.action, 1)

    @classmethod
    def relinked(cls, latest: Command, receipts: Receipts) -> Command | None:
        """An edit of the incident's message that stands, with the links that it does not show."""
        root = receipts("slack")
        new = set(found_links(receipts, besides="slack")) - set(root.get("shows", "").split())
        if not new or "ts" not in root or "shows" not in root:
            return None
        return replace(
            latest,
            id=f"{latest.incident_id}:{latest.epoch}:links-{'-'.join(sorted(new))}:slack:update",
            action="update",
            level="info",
            kind="links",
            reason="",
            by=None,
        )

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """An edit is superseded by a newer edit, a routine update of a thread by a newer routine update."""
        if command.action == "update":
            return "superseded" if any(other.action == "update" for other in later) else None
        if (command.action, command.kind) == ("reply", "update"):
            routine = any(other.action == "reply" and other.kind == "update" for other in later)
            return "superseded" if routine else None
        return None
