"""What does Slack need, how much does it accept, and which edit is pointless?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from detectors.incidents import Command
from sinks.configuration import HeaderSecret, HttpUrl
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings

__all__ = ["SlackSettings"]


class SlackSettings(ReceiverSettings):
    """``WATCHOFFICER_SLACK__...``. ``channel`` is an id (C0123456789) or a name."""

    token: HeaderSecret | None = None
    channel: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    base_url: HttpUrl = "https://slack.com/api/"

    title: ClassVar[str] = "Slack"
    needed: ClassVar[tuple[str, ...]] = ("token", "channel")
    # Slack allows one message a second and channel. Two at a time, so that one without an answer holds up no other.
    pace: ClassVar[Pace] = Pace(per_minute=60, burst=1, concurrency=2)

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
        )

    @classmethod
    def haste(cls, command: Command) -> int:
        """What the channel shows goes before lines of threads, and those before edits."""
        return {"post": 0, "broadcast": 0, "reply": 1, "update": 2}.get(command.action, 1)

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """An edit is superseded by a newer edit, a routine update of a thread by a newer routine update."""
        if command.action == "update":
            return "superseded" if any(other.action == "update" for other in later) else None
        if (command.action, command.kind) == ("reply", "update"):
            routine = any(other.action == "reply" and other.kind == "update" for other in later)
            return "superseded" if routine else None
        return None
