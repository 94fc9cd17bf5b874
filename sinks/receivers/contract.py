"""What does a receiver bring? Settings from which its client is made, the load it accepts, and its rules of order.

Each receiver is a package here: ``config`` holds a subclass of ``ReceiverSettings``, ``wording`` writes what it gets,
and ``client`` sends it. ``registry`` lists them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from detectors.incidents import Command, Incident
from sinks.configuration import Group
from sinks.receivers.answers import Receipts, Refused, Retry, SinkClient
from sinks.wording import ScopeNames

if TYPE_CHECKING:
    import httpx

__all__ = ["Fate", "Means", "Pace", "ReceiverSettings"]

#: What becomes of a command that need not be sent: a newer one says more, or its incident is over.
Fate = Literal["superseded", "dropped"]


async def _no_picture(command: Command) -> bytes | None:
    return None


@dataclass(frozen=True)
class Pace:
    """The load that a receiver accepts.

    Attributes:
        per_minute: requests a minute; 0 if only the receiver's own answers limit the rate.
        burst: requests at once after a pause.
        concurrency: requests in parallel.
    """

    per_minute: int
    burst: int
    concurrency: int


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the process hands to every client.

    Attributes:
        http: makes requests, and holds them back where this process may not send any more.
        clock: ms since the epoch.
        names: what people call the values of scopes.
        document: makes the JSON of an incident, as the topic ``incidents`` has it.
        banner_keys: (scope, ms) -> the banner keys that an incident on the scope sets then.
        picture: the chart of a command's incident, as PNG; None where nothing is known to draw.
    """

    http: httpx.AsyncClient
    clock: Callable[[], int]
    names: ScopeNames
    document: Callable[[Incident], bytes] = msgspec.json.encode
    banner_keys: Callable[[str, int], Sequence[str]] = lambda scope, at: (scope,)
    picture: Callable[[Command], Awaitable[bytes | None]] = _no_picture


class ReceiverSettings(Group):
    """The settings of one receiver: ``WATCHOFFICER_<NAME>__...``, with a default for each, and what else it brings.

    Attributes:
        title: the name that people know it by.
        needed: the settings without which it is off.
        lacking: what it cannot do without further settings, as a clause, and these settings; None for nothing.
        pace: the load that it accepts.
        longest_wait: the most that it may ask to wait, seconds; a longer wish is cut to this.
        shows_links: whether what it shows has links that other receivers return (``relinked``).
        shows_chart: whether what it shows may have the link ``chart``, the address of a picture of the outage.
    """

    title: ClassVar[str]
    needed: ClassVar[tuple[str, ...]]
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    pace: ClassVar[Pace] = Pace(per_minute=60, burst=10, concurrency=2)
    longest_wait: ClassVar[float] = 600.0
    shows_links: ClassVar[bool] = False
    shows_chart: ClassVar[bool] = False

    @property
    def on(self) -> bool:
        """Whether it has what it needs."""
        return not self.missing(self.needed)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the named settings that are not set."""
        return [name for name in names if getattr(self, name) is None]

    def gaps(self) -> Sequence[tuple[str, tuple[str, ...]]]:
        """What it cannot do without further settings, as a clause each, and these settings."""
        return () if self.lacking is None else (self.lacking,)

    @abstractmethod
    def client(self, means: Means) -> SinkClient:
        """The client of a receiver that is on."""

    async def tried(self, http: httpx.AsyncClient) -> str | Retry | Refused | None:
        """Ask the receiver whether it accepts the credentials, without telling anybody anything.

        Args:
            http: makes the request.

        Returns:
            what the receiver says of them, as a clause; why it does not accept them; None where that cannot be asked.
        """
        return None

    def named(self) -> Mapping[str, ReceiverSettings]:
        """Further receivers of this kind, by name: ``leadership`` is ``email:leadership`` in routes and metrics."""
        return {}

    @classmethod
    def lane(cls, command: Command) -> str:
        """Names what the receiver must get in order: commands of different lanes do not wait for each other."""
        return command.incident_id

    @classmethod
    def haste(cls, command: Command) -> int:
        """How much sooner than others a command is sent where not all can be: 0 for news, more for what can wait."""
        return 0

    @classmethod
    def relinked(cls, latest: Command, receipts: Receipts) -> Command | None:
        """The command that brings links, which were not known before, to where what ``latest`` said is read.

        Args:
            latest: the newest command to the receiver, of an incident and epoch.
            receipts: what receivers have returned.
        """
        return None

    @classmethod
    def awaits(cls, command: Command) -> tuple[str, float] | None:
        """The receiver whose link a command shows, and for how many seconds at most it waits for it; None: for none."""
        return None

    @classmethod
    def missed(cls, command: Command, reason: str) -> str | None:
        """What people are told elsewhere if a command never reaches the receiver; None: that is in the log alone."""
        return None

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """Whether later commands make one pointless; None if they do not.

        Args:
            command: waits to be sent.
            later: what waits behind it, of the same incident, epoch and receiver, oldest first.
        """
        return None
