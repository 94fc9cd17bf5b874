"""What does each route take and answer, beside what the table of routes says of it?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from detectors.process.actions import BY_KIND, OF_INCIDENTS, PATHS, Action
from detectors.process.states import US_STATES
from sinks.console.history import STATES
from sinks.console.overview import RANGES
from streams.http.openapi.act_bodies import Schema, act_body

__all__ = ["OPERATIONS", "PARAMETERS", "SCHEMAS", "Operation", "Schema"]


class Operation(NamedTuple):
    """One method of one path.

    Attributes:
        tag: the group that it belongs to.
        summary: what it does, in one line.
        answer: the schema of a good answer that is JSON; None where it is something else, or empty.
        content_type: of a good answer; "" where it is empty.
        status: of a good answer.
        errors: the statuses of errors, 500 aside.
        parameters: of the query, name -> schema.
        body: the schema of the request's body; None where it takes none.
        signed: the header in which a webhook is signed; None where it is none.
        error_pages: whether errors may be pages for people too.
    """

    tag: str
    summary: str
    answer: Schema | None = None
    content_type: str = "application/json"
    status: int = 200
    errors: tuple[int, ...] = ()
    parameters: Mapping[str, Schema] = MappingProxyType({})
    body: Schema | None = None
    signed: str | None = None
    error_pages: bool = False


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": [*properties]}


_TEXT: Schema = {"type": "string"}
_WORDS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
#: A value of an axis, in any case; "other" stands for any that is spelt in another way.
_VALUE: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"}
_ENV = {"env": {**_TEXT, "description": "an environment; without it all"}}
_WRITES = (400, 401, 403, 408, 413, 415, 503)
_WORKING = {"status": {"const": "ok"}, "parts": _WORDS}

#: The schemas that several operations share, beside those of the topics' records.
SCHEMAS: dict[str, Schema] = {
    "Error": {
        "description": "What went wrong: for programs, and for people.",
        **_object(error=_object(code=_TEXT, message=_TEXT)),
    },
    "Accepted": {
        "description": "The broker has the input; `GET /api/v1/inputs/{id}` says what became of it.",
        **_object(accepted={**_object(id=_TEXT, kind=_TEXT), "required": ["id", "kind"]}),
    },
    "Input": {
        "description": "What became of an input.",
        "type": "object",
        "required": ["id", "state"],
        "properties": {
            "id": _TEXT,
            "state": {"enum": ["accepted", "applied", "refused"]},
            "reason": {"type": ["string", "null"], "description": "why it was refused, or what it did"},
            "applied_at": _INSTANT,
            "incident": _TEXT,
        },
    },
    "Cover": {
        "description": "A mute, a maintenance or a correction.",
        "type": "object",
        "required": ["id", "kind", "scope", "state"],
        "properties": {"state": {"enum": ["set", "in force", "ended"]}},
    },
    "BackendStatuses": {
        "description": "The banners of sign-in, in the form that VA.gov's front end reads.",
        **_object(
            data=_object(
                id=_TEXT,
                type={"const": "backend_statuses"},
                attributes=_object(
                    reported_at=_INSTANT,
                    statuses={
                        "type": "array",
                        "minItems": 1,
                        "items": _object(
                            service=_TEXT,
                            service_id=_TEXT,
                            status={"enum": ["active", "warning", "critical", "maintenance"]},
                            last_incident_timestamp={"type": ["string", "null"], "format": "date-time"},
                        ),
                    },
                    maintenance_windows={"type": "array", "items": {"type": "object"}},
                ),
            )
        ),
    },
    "StateIncidents": {
        "description": "Outages that were declared for states, in the form that VA.gov's front end reads.",
        **_object(
            data=_object(
                attributes=_object(
                    incidents={
                        "type": "array",
                        "items": _object(
                            id=_TEXT,
                            active={"type": "boolean"},
                            states={"type": "array", "items": {"enum": [*US_STATES]}},
                            title=_TEXT,
                            message=_TEXT,
                            status={"enum": ["error", "warning", "info"]},
                        ),
                    }
                )
            )
        ),
    },
}

#: Name of a parameter in a path -> what it is.
PARAMETERS = {"id": "the id", "name": "the name of a runbook that ships"}


def _act(action: Action, summary: str | None = None, *errors: int) -> Operation:
    does = summary or action.does
    return Operation(
        "Acts",
        does[0].upper() + does[1:],
        _ref("Accepted"),
        status=202,
        errors=(*_WRITES, *errors),
        body=act_body(action),
    )


_COVERED = {"mute": "mutes", "maintain": "maintenance", "correct": "corrections"}
_DECLARE = BY_KIND["declare"]._replace(about="scope")
_BANNER = {
    "auth_method": {**_VALUE, "description": "how the visitor signs in"},
    "csp": {**_VALUE, "description": "the visitor's credential provider"},
    "client_id": {**_VALUE, "description": "the application that the visitor comes from"},
    "strict": {"enum": ["0", "1"], "description": "1: answer 503 where the state is unknown"},
}
_SLIS = {
    "scope": {"type": "array", "items": _TEXT, "description": "scopes such as prod/ssoe"},
    "window": {"type": "array", "items": _TEXT, "description": "windows such as 5m"},
    **_ENV,
    "history": {"enum": ["true", "false"], "description": "true: with the last hour of each"},
}
_INCIDENTS = {
    "state": {"type": "array", "items": _TEXT, "description": "states; a comma divides several"},
    **_ENV,
    "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
}
_HTML, _NONE = "text/html", ""

#: (method, path without patterns) -> what it takes and answers.
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/"): Operation(
        "Pages",
        "The console",
        content_type=_HTML,
        errors=(400, 404),
        parameters={"env": _TEXT, "range": {"enum": [*RANGES], "description": "of what the charts show"}},
    ),
    ("GET", "/incidents/{id}"): Operation(
        "Pages", "One incident, for people", content_type=_HTML, errors=(400, 404, 503)
    ),
    ("GET", "/history"): Operation(
        "Pages",
        "All incidents, for people",
        content_type=_HTML,
        errors=(400,),
        parameters={
            "q": {**_TEXT, "description": "words that an incident has"},
            "env": _TEXT,
            "state": {"enum": ["", *STATES]},
            "severity": {"enum": ["", "1", "2", "3"], "description": "the worst that it had"},
        },
    ),
    **{
        ("GET", f"/reports/{{month}}/{kind}"): Operation(
            "Pages", f"{what} of a month, for people", content_type=_HTML, errors=(400, 404, 503)
        )
        for kind, what in (("mtta", "The response times"), ("sla", "The service levels"))
    },
    ("GET", "/assets/{name}"): Operation(
        "Pages", "A file that pages load", content_type="application/octet-stream", errors=(404,)
    ),
    ("GET", "/api/v1/stream"): Operation(
        "Reading",
        "An event (server-sent) whenever something has changed",
        content_type="text/event-stream",
        errors=(503,),
    ),
    ("GET", "/status"): Operation("Pages", "The public status page", content_type=_HTML, errors=(400,)),
    ("GET", "/status.atom"): Operation(
        "Pages", "The public status as a feed", content_type="application/atom+xml", errors=(400,)
    ),
    ("GET", "/login"): Operation("Pages", "The form that takes a token", content_type=_HTML),
    ("POST", "/login"): Operation(
        "Pages",
        "Take a token, and set a cookie of 12 hours",
        content_type=_NONE,
        status=303,
        errors=(401, 408, 413, 415, 429),
        error_pages=True,
    ),
    ("GET", "/openapi.json"): Operation("Machines", "This document", {"type": "object"}),
    ("GET", "/metrics"): Operation("Machines", "Metrics for Prometheus", content_type="text/plain"),
    ("GET", "/healthz"): Operation(
        "Machines", "Whether no part stands still", _object(**_WORKING), errors=(503,)
    ),
    ("GET", "/readyz"): Operation(
        "Machines", "Whether every part works and the watch is not blind", _object(**_WORKING), errors=(503,)
    ),
    ("GET", "/api/v1/health"): Operation(
        "Machines",
        "All that is known of how this process gets on",
        _object(status={"enum": ["ok", "not_ready", "blind"]}, at=_INSTANT, parts=_WORDS),
    ),
    ("GET", "/api/v1/inputs-health"): Operation(
        "Machines",
        "What became of the records of each input",
        _object(now={"type": "integer"}, inputs={"type": "array"}),
    ),
    ("GET", "/runbooks"): Operation("Pages", "The list of runbooks", content_type=_HTML),
    ("GET", "/runbooks/{name}"): Operation(
        "Pages",
        "A runbook with the figures of an incident",
        content_type=_HTML,
        errors=(400, 404, 503),
        parameters={"incident": {**_TEXT, "description": "the id of an incident"}},
    ),
    ("GET", "/api/v1/slis"): Operation(
        "Reading",
        "The latest indicators of each scope and window",
        _object(now=_INSTANT, evaluated_to=_WORDS, slis=_list("Sli")),
        errors=(400,),
        parameters=_SLIS,
    ),
    ("GET", "/api/v1/incidents"): Operation(
        "Reading",
        "Incidents: open ones first, then the worst, then the latest",
        _object(now=_INSTANT, incidents=_list("Incident"), total={"type": "integer"}),
        errors=(400,),
        parameters=_INCIDENTS,
    ),
    ("GET", "/api/v1/incidents/{id}"): Operation(
        "Reading", "An incident with its log", _ref("Incident"), errors=(404, 503)
    ),
    ("GET", "/api/v1/inputs/{id}"): Operation(
        "Reading", "What became of an input", _ref("Input"), errors=(404, 503)
    ),
    **{
        ("GET", f"/api/v1/{path}"): Operation(
            "Reading", f"The latest {path}", _object(**{path: _list("Cover")}), errors=(400,), parameters=_ENV
        )
        for path in _COVERED.values()
    },
    **{
        ("POST", f"/api/v1/incidents/{{id}}/{word}"): _act(action, None, 404, 409)
        for word, action in OF_INCIDENTS.items()
    },
    **{("POST", f"/api/v1/{path}"): _act(BY_KIND[kind]) for kind, path in PATHS.items()},
    **{
        ("POST", f"/api/v1/{path}/{{id}}/end"): _act(
            BY_KIND["unmute"]._replace(needs=()), f"End one of the {path}", 404
        )
        for path in _COVERED.values()
    },
    ("POST", "/api/v1/incidents"): _act(_DECLARE, "declare an outage of a scope"),
    ("POST", "/api/v1/retire"): _act(BY_KIND["retire"]),
    **{
        ("POST", f"/webhooks/{door}"): Operation(
            "Machines",
            f"Where {name} tells what happened there",
            content_type=_NONE if door == "slack" else "application/json",
            errors=(400, 401, 403, 408, 413, 503),
            signed=header,
        )
        for door, name, header in (
            ("pagerduty", "PagerDuty", "X-PagerDuty-Signature"),
            ("slack", "Slack", "X-Slack-Signature"),
        )
    },
    ("GET", "/charts/{incident}/{at}/{until}/{signature}.png"): Operation(
        "Reading",
        "The chart of an hour of an outage, at an address that is signed and holds for three days",
        content_type="image/png",
        errors=(404, 410),
    ),
    ("GET", "/v0/backend_statuses"): Operation(
        "Reading",
        "The banners of sign-in for one visitor",
        _ref("BackendStatuses"),
        errors=(400, 503),
        parameters=_BANNER,
    ),
    ("GET", "/login_gov_state_incidents"): Operation(
        "Reading",
        "Outages that were declared for states",
        _ref("StateIncidents"),
        errors=(400, 503),
        parameters={"strict": _BANNER["strict"]},
    ),
    **{
        ("OPTIONS", path): Operation(
            "Reading", "Whether a page of another origin may read the banners", content_type=_NONE, status=204
        )
        for path in ("/v0/backend_statuses", "/login_gov_state_incidents")
    },
}
