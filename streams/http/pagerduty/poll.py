"""What has a webhook of PagerDuty missed, and which maintenance is planned there? Asked each minute, over REST.

What an answer says beyond what is known here is read like the webhook that should have said it, so that both mean the
same. Each worker asks of the incidents whose notifications it sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import structlog

from detectors.incidents import IncidentInput
from detectors.instants import MINUTE, SECOND, parse_instant
from sinks.receivers.answers import Refused, Retry
from streams.http.pagerduty.maintenance import Window, inputs_of, windows_in
from streams.http.pagerduty.reading import Ignored, Unknown, read_webhook
from streams.http.views import Views

__all__ = ["POLL_EVERY", "StatusPoll"]

log = structlog.get_logger(__name__)

#: Seconds from one round to the next.
POLL_EVERY = 60.0
#: The most alerts that are asked for in a round; PagerDuty allows 960 requests a minute.
_MOST = 100
#: The most pages of maintenance windows that are asked for in a round.
_PAGES = 10
#: A change that is younger, ms, may still come by webhook.
_FRESH = 20 * SECOND
#: How long an acknowledgement may have to reach what is known here, ms.
_SETTLED = 2 * MINUTE
_OPEN = ("open", "acknowledged", "recovering")

#: Answers a GET of the REST API: path and parameters -> the JSON object.
Ask = Callable[[str, Mapping[str, str]], Awaitable[dict[str, Any] | Retry | Refused]]


class StatusPoll:
    """Asks PagerDuty how open incidents stand there.

    Args:
        ask: makes a request.
        views: what is known here.
        submit: puts an input on the topic; raises `OSError` or `KafkaError` if the broker does not have it.
        prefix: returns what the dedup keys of this deployment begin with.
        mine: whether this worker sends the notifications of an incident.
        clock: ms since the epoch.
        services: id of a service in PagerDuty -> scope, whose maintenance windows are maintenance here.
    """

    def __init__(
        self,
        ask: Ask,
        views: Views,
        submit: Callable[[IncidentInput], Awaitable[object]],
        *,
        prefix: Callable[[], str],
        mine: Callable[[str], bool],
        clock: Callable[[], int],
        services: Mapping[str, str] | None = None,
    ) -> None:
        self._services = dict(services or {})
        self._ask = ask
        self._views = views
        self._submit = submit
        self._prefix = prefix
        self._mine = mine
        self._clock = clock
        self._said: dict[str, None] = {}

    async def follow(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Ask once a minute, for ever. ``sleep`` sleeps for seconds of ``clock``."""
        while True:
            await sleep(POLL_EVERY)
            try:
                await self.poll()
            except Exception as error:
                log.error("pagerduty_poll_failed", error=type(error).__name__)

    async def poll(self) -> int:
        """Ask of each open alert of an open incident, and of maintenance; how many inputs that made."""
        made = await self._ask_for_maintenance() if self._services else 0
        for incident, page in list(self._open_pages())[:_MOST]:
            found = await self._find(page)
            if isinstance(found, Retry | Refused):
                log.warning("pagerduty_poll_unanswered", why=found.why)
                return made
            event = _missed(found, incident, page, self._clock()) if found is not None else None
            if event is not None:
                made += await self._take(event, str(incident["id"]))
        return made

    async def _ask_for_maintenance(self) -> int:
        """Bring maintenance here up to date with PagerDuty's windows that are open or to come."""
        windows: list[Window] = []
        for page in range(_PAGES):
            asked = {"filter": "open", "limit": str(_MOST), "offset": str(page * _MOST)}
            answer = await self._ask("/maintenance_windows", asked)
            if not isinstance(answer, dict):
                log.warning("pagerduty_poll_unanswered", why=answer.why)
                return 0
            listed = answer.get("maintenance_windows")
            if not isinstance(listed, list):  # what is no list of windows says nothing of their end
                log.warning("pagerduty_poll_unanswered", why="an answer without maintenance windows")
                return 0
            windows += windows_in(listed, self._services)
            if answer.get("more") is not True:
                break
        made = 0
        standing = self._views.covers.standing("maintenance")
        for value in inputs_of(windows, standing, self._services, self._clock()):
            if self._mine(f"{value.env}-0") and self._views.inputs.get(value.id) is None:
                await self._submit(value)
                self._views.note_input(value)
                log.info("pagerduty_maintenance", input=value.id, kind=value.kind, scope=value.scope)
                made += 1
        return made

    def _open_pages(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        for incident in self._views.incidents():
            if incident["state"] not in _OPEN or not self._mine(str(incident["id"])):
                continue
            yield from (
                (incident, page) for page in incident.get("pages") or () if page.get("closed_at") is None
            )

    async def _find(self, page: Mapping[str, Any]) -> dict[str, Any] | Retry | Refused | None:
        """PagerDuty's incident that holds an alert; None if there is none yet."""
        if isinstance(page.get("incident"), str):
            answer = await self._ask(f"/incidents/{quote(page['incident'], safe='')}", {})
            one = answer.get("incident") if isinstance(answer, dict) else answer
            return one if isinstance(one, dict | Retry | Refused) else None
        key = str(page["dedup_key"])
        answer = await self._ask("/incidents", {"incident_key": key, "sort_by": "created_at:desc"})
        if not isinstance(answer, dict):
            return answer
        listed = answer.get("incidents")
        return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else None

    async def _take(self, event: Mapping[str, Any], incident: str) -> int:
        """Read an event as far as it is about one incident of ours: the others are asked for themselves."""
        if event["event"]["id"] in self._said:
            return 0
        read = read_webhook(
            msgspec.json.encode(event),
            delivery=event["event"]["id"],
            prefix=self._prefix(),
            lookup=self._views.incident,
            known=self._views.alerts,
            now=self._clock(),
        )
        self._said[event["event"]["id"]] = None
        if len(self._said) > _MOST * 10:
            del self._said[next(iter(self._said))]
        if isinstance(read, Ignored | Unknown):
            return 0
        mine = [value for value in read if value.incident == incident]
        for value in mine:
            await self._submit(value)
            self._views.note_input(value)
            log.info("pagerduty_webhook_missed", input=value.id, kind=value.kind, incident=value.incident)
        return len(mine)


def _missed(
    found: Mapping[str, Any], incident: Mapping[str, Any], page: Mapping[str, Any], now: int
) -> dict[str, Any] | None:
    """The webhook that says how PagerDuty's incident stands; None if that is known here, or too young."""
    status, at = found.get("status"), found.get("last_status_change_at")
    agent = found.get("last_status_change_by")
    if status == "acknowledged" and incident.get("acknowledged_at") is None:
        name = "incident.acknowledged"
        acknowledged = found.get("acknowledgements")
        if isinstance(acknowledged, list) and acknowledged and isinstance(acknowledged[-1], dict):
            at = acknowledged[-1].get("at", at)
            agent = acknowledged[-1].get("acknowledger", agent)
    elif status == "resolved":
        name = "incident.resolved"
    elif status == "triggered" and _given_back(incident, now):
        name = "incident.unacknowledged"
    else:
        return None
    try:
        since = parse_instant(at) if isinstance(at, str) else None
    except ValueError:
        since = None
    if since is None or now - since < _FRESH:
        return None
    return {
        "event": {
            "id": f"poll:{found.get('id')}:{status}:{since}:{page['dedup_key']}",
            "event_type": name,
            "resource_type": "incident",
            "occurred_at": at,
            "agent": agent,
            "data": {**found, "incident_key": page["dedup_key"]},
        }
    }


def _given_back(incident: Mapping[str, Any], now: int) -> bool:
    """Whether an incident was acknowledged in PagerDuty, some time ago, at its only alert."""
    by, at = str(incident.get("acknowledged_by") or ""), incident.get("acknowledged_at")
    alone = len(incident.get("pages") or ()) == 1
    return alone and by.startswith("PagerDuty: ") and at is not None and now - parse_instant(at) > _SETTLED
