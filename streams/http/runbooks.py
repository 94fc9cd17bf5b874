"""How are runbooks served over HTTP, with the figures of an incident?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from detectors.incidents import Common, Incident
from detectors.instants import format_duration
from detectors.policy.policy import Policy
from detectors.policy.runbooks import RUNBOOKS, is_url, path_of_runbook
from sinks.console.figures import figures
from sinks.console.runbook import RunbookPage, index_page, runbook_page
from sinks.wording import ScopeNames, headline, links_of
from streams.http.responses import ApiError, Handler
from streams.http.views import Views
from streams.records.models import decode_incident

__all__ = ["RunbookPages", "runbook_of"]

_OVER = ("resolved", "closed")
#: Incidents that a runbook offers to be read for.
_CHOICES = 20


def runbook_of(record: Mapping[str, Any], policy: Policy) -> str | None:
    """Where the runbook of an incident is: a path of ours with the incident, or a URL; None where there is none.

    Args:
        record: the incident as it stands on its topic.
        policy: the policy.
    """
    try:
        common = msgspec.convert(record.get("common", ()), tuple[Common, ...])
        found = policy.runbooks_of(str(record["scope"]), record.get("causes", ()), common)
    except (KeyError, msgspec.ValidationError):
        return None
    if not found:
        return None
    return found[0] if is_url(found[0]) else path_of_runbook(found[0], str(record["id"]))


class RunbookPages:
    """Serves ``/runbooks`` and ``/runbooks/{name}?incident=ID``.

    Args:
        views: what is known of the topics.
        policy: returns the policy that is in force.
        clock: ms since the epoch.
    """

    def __init__(self, views: Views, policy: Callable[[], Policy], *, clock: Callable[[], int]) -> None:
        self._views = views
        self._policy = policy
        self._clock = clock
        self._names = ScopeNames(policy)

    def table(self) -> list[tuple[str, str, Handler]]:
        """The routes: method, path, handler."""
        return [("GET", "/runbooks", self.index), ("GET", "/runbooks/{name}", self.runbook)]

    async def index(self, request: web.Request) -> web.Response:
        """The list of all runbooks."""
        return _served(index_page())

    async def runbook(self, request: web.Request) -> web.Response:
        """One runbook. Without a parameter the figures are those of the only open incident that it is for."""
        name = request.match_info["name"]
        if name not in RUNBOOKS:
            raise ApiError(404, "not_found", "there is no such runbook; /runbooks lists all")
        unknown = [key for key in request.query if key != "incident"]
        if unknown:
            raise ApiError(400, "bad_request", f"{unknown[0][:64]} is no parameter: a runbook takes incident")
        asked = request.query.get("incident")
        choices = {} if asked is not None else self._open(name)
        incident = self._known(asked) if asked is not None else None
        if len(choices) == 1:
            ((_, incident),) = choices.items()
            choices = {}
        told = figures(incident, self._policy(), self._success(), self._clock())
        also = [] if incident is None else self._runbooks(incident)
        return _served(
            runbook_page(
                name,
                told,
                incident=None if incident is None else incident.id,
                also=[other for other in also if other != name and not is_url(other)],
                links=[] if incident is None else links_of(incident),
                choices={key: headline(one, self._names) for key, one in choices.items()},
            )
        )

    def _runbooks(self, incident: Incident) -> tuple[str, ...]:
        return self._policy().runbooks_of(incident.scope, incident.causes, incident.common)

    def _open(self, name: str) -> dict[str, Incident]:
        """The open incidents that a runbook is the first one for, the most urgent first."""
        found: dict[str, Incident] = {}
        for record in self._views.incidents():
            if record["state"] in _OVER or len(found) == _CHOICES:
                continue
            incident = _decoded(record)
            if incident is not None and self._runbooks(incident)[:1] == (name,):
                found[incident.id] = incident
        return found

    def _known(self, asked: str) -> Incident:
        record = self._views.incident(asked)
        incident = None if record is None else _decoded(record)
        if incident is not None:
            return incident
        if not self._views.ready:
            raise ApiError(
                503, "service_unavailable", "the incidents are still being read", {"Retry-After": "2"}
            )
        raise ApiError(404, "not_found", "no such incident")

    def _success(self) -> Callable[[str, int], float | None]:
        known = {(sli["scope"], sli["window"]): sli for sli in self._views.slis()}

        def success(scope: str, window: int) -> float | None:
            share = known.get((scope, format_duration(window)), {}).get("success_ratio")
            return share if isinstance(share, int | float) else None

        return success


def _decoded(record: Mapping[str, Any]) -> Incident | None:
    """The incident of a record; None where it is of a form that this version does not know."""
    try:
        return decode_incident(msgspec.json.encode(record))
    except ValueError:
        return None


def _served(page: RunbookPage) -> web.Response:
    return web.Response(
        body=page.body,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": page.content_security_policy, "Cache-Control": "no-cache"},
    )
