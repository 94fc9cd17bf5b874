"""What does Statuspage need, how much does it accept, and which update is pointless?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from detectors.incidents import Command
from sinks.configuration import HeaderSecret, HttpUrl, formed
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Fate, Means, Pace, ReceiverSettings

__all__ = ["StatuspageSettings"]

_PAIR = re.compile(r"([a-z0-9_.:*/-]{1,256})=([A-Za-z0-9]{1,64})")


def _pairs(value: str) -> str:
    found = value.replace(",", " ").split()
    if not 1 <= len(found) <= 200 or not all(_PAIR.fullmatch(one) for one in found):
        raise ValueError(
            "must be banner keys with ids of components, with commas: prod/ssoe=ab12cd, prod/sis/idme=ef34gh"
        )
    return value


class StatuspageSettings(ReceiverSettings):
    """``WATCHOFFICER_STATUSPAGE__...``. Only incidents on scopes with a component are shown, under one headline.

    ``components`` gives banner keys their components: ``prod/ssoe=ab12cd, prod/sis/idme=ef34gh``. ``headline`` is what
    a person has approved for the public. Nothing is shown without a route of the policy.
    """

    api_key: HeaderSecret | None = None
    page: (
        Annotated[str, formed(r"[A-Za-z0-9]{1,64}", "must be the id of a page: letters and digits")] | None
    ) = None
    headline: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    components: Annotated[str, AfterValidator(_pairs)] | None = None
    base_url: HttpUrl = "https://api.statuspage.io"

    title: ClassVar[str] = "Statuspage"
    needed: ClassVar[tuple[str, ...]] = ("api_key", "page", "headline", "components")
    # Statuspage allows a request a second, and a command is two.
    pace: ClassVar[Pace] = Pace(per_minute=28, burst=2, concurrency=1)

    def client(self, means: Means) -> SinkClient:
        """The client of one page."""
        from sinks.receivers.statuspage.client import Statuspage  # reading settings needs no HTTP

        assert self.api_key is not None
        assert self.page is not None
        assert self.headline is not None
        assert self.components is not None
        found = (_PAIR.fullmatch(one) for one in self.components.replace(",", " ").split())
        return Statuspage(
            means.http,
            api_key=self.api_key,
            page=self.page,
            title=self.headline,
            components={pair[1]: pair[2] for pair in found if pair is not None},
            keys=means.banner_keys,
            base_url=self.base_url,
            names=means.names,
        )

    @classmethod
    def overtaken(cls, command: Command, later: Sequence[Command]) -> Fate | None:
        """A change is superseded by a later one, which carries the whole state; one never shown and over is dropped."""
        if command.action == "open" and any(other.action == "resolve" for other in later):
            return None  # it may stand there after a lost answer: the resolution would not find it otherwise
        return "superseded" if command.action == "update" and later else None
