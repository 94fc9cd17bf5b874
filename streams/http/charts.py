"""Where do receivers fetch the chart of an outage? At an address that says what it shows, until when, and is signed.

Who fetches it, such as Slack, has no token. So its address alone admits: it names one incident and one hour of it,
holds for some days, and cannot be made without the key. Nothing is drawn before somebody asks.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable

import msgspec
from aiohttp import web
from pydantic import SecretStr

from detectors.incidents import Command, Incident
from detectors.instants import DAY, MINUTE
from detectors.policy.policy import Policy
from sinks.chart.outage import SHOWN, Measured, draw
from sinks.wording import ScopeNames, day_words, headline
from streams.http.pages.incident_view import measured_scope
from streams.http.pages.traces import POINT
from streams.http.responses import ApiError, Handler
from streams.http.views import Views
from streams.records.models import decode_incident

__all__ = ["KEPT", "VALID", "Charts"]

#: For how long an address holds after the message that it was sent with, ms.
VALID = 3 * DAY
#: Pictures that are kept for who asks next, such as each reader of a page of PagerDuty's.
KEPT = 64
_MAC_DIGITS = 32
#: What is drawn before the indicators of its last minutes are known here is not kept, ms.
_SETTLED = 5 * MINUTE
_LOOKS, _LOOK_SECONDS = 20, 0.1


class Charts:
    """The charts of incidents: their addresses, and the pictures.

    Args:
        views: what is known of the topics.
        policy: returns the policy that is in force, which has names and the address of the console.
        key: of the signatures; None: charts have no addresses, and mails alone have pictures.
        clock: ms since the epoch.
    """

    def __init__(
        self, views: Views, policy: Callable[[], Policy], key: SecretStr | None, *, clock: Callable[[], int]
    ) -> None:
        self._views = views
        self._names = ScopeNames(policy)
        self._policy = policy
        self._key = key
        self._clock = clock
        self._kept: dict[tuple[str, int], bytes] = {}
        self._drawing = asyncio.Semaphore(1)

    def table(self) -> list[tuple[str, str, Handler]]:
        """The routes: method, path, handler."""
        return [("GET", "/charts/{incident}/{at}/{until}/{signature}.png", self.show)]

    def url(self, command: Command) -> str | None:
        """The address of the chart of the hour before a command; None if charts have none, or nothing is to be seen."""
        base = self._policy().notify.console_url
        if self._key is None or base is None or not self._measured(command.incident, command.at):
            return None
        return base.rstrip("/") + self.path(command.incident_id, command.at)

    def path(self, incident: str, at: int) -> str:
        """The path of the chart of an incident in the hour before ``at`` (ms), signed.

        Raises:
            ValueError: there is no key.
        """
        until = at + VALID
        return f"/charts/{incident}/{at}/{until}/{self._signature(incident, at, until)}.png"

    async def picture(self, command: Command) -> bytes | None:
        """The chart of the hour before a command as PNG; None if nothing is to be seen."""
        return await self._picture(command.incident, command.at)

    async def show(self, request: web.Request) -> web.Response:
        """The chart at an address, if that is signed and holds."""
        info = request.match_info
        incident, at, until = info["incident"], _instant(info["at"]), _instant(info["until"])
        if self._key is None or not hmac.compare_digest(
            info["signature"].encode(), self._signature(incident, at, until).encode()
        ):
            raise ApiError(404, "not_found", "this is no address of a chart")
        if self._clock() >= until:
            raise ApiError(410, "gone", "this address holds no more; the console shows the incident")
        known = await self._incident(incident)
        picture = None if known is None else await self._picture(known, at)
        if picture is None:
            raise ApiError(404, "not_found", "what was measured in this hour is not known here any more")
        kept = "public, max-age=86400, immutable" if (incident, at) in self._kept else "no-store"
        return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": kept})

    async def _incident(self, name: str) -> Incident | None:
        """An incident; one that has only just opened is waited for, as who was told of it may ask first."""
        for _ in range(_LOOKS):
            record = self._views.incident(name)
            if record is not None:
                try:
                    return decode_incident(msgspec.json.encode(record))
                except ValueError:
                    return None
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _picture(self, incident: Incident, at: int) -> bytes | None:
        place = incident.id, at
        async with self._drawing:
            if place in self._kept:
                return self._kept[place]
            measured = self._measured(incident, at)
            if not measured:
                return None
            title = f"{headline(incident, self._names)} ({day_words(at)})"
            made = await asyncio.to_thread(draw, title, measured, until=at, began=incident.first_bad_at)
            if measured[-1].at >= at - _SETTLED:
                while len(self._kept) >= KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[place] = made
        return made

    def _measured(self, incident: Incident, at: int) -> list[Measured]:
        scope = measured_scope(self._views, incident)
        return [
            Measured(min(one.at, at), None if one.success is None else 1 - one.success, one.people)
            for one in self._views.traces.of(scope, at - SHOWN)
            if one.at <= at + POINT // 2
        ]

    def _signature(self, incident: str, at: int, until: int) -> str:
        if self._key is None:
            raise ValueError("no key is set")
        text = f"chart:{incident}:{at}:{until}"
        made = hmac.new(self._key.get_secret_value().encode(), text.encode(), hashlib.sha256)
        return made.hexdigest()[:_MAC_DIGITS]


def _instant(text: str) -> int:
    """An instant of an address, ms.

    Raises:
        ApiError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ApiError(404, "not_found", "this is no address of a chart")
    return int(text)
