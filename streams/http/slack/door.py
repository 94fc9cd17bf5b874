"""How are people in Slack heard: who may ask, what becomes of it, and what are they told within three seconds?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from aiohttp import web
from pydantic import SecretStr, ValidationError

from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.process.actions import BY_KIND, Action
from detectors.values import OTHER
from sinks.metrics.webhooks import WebhookMetrics
from sinks.receivers.story import plain
from streams.http.inputs import InputDoor
from streams.http.requests import raw_body
from streams.http.responses import ApiError, json_response
from streams.http.slack.reading import Asked, Person, Unclear, is_signed, read_request
from streams.http.views import Views
from streams.http.webhooks import Doorkeeper
from streams.records.models import TEXT_LIMIT, InputRecord
from streams.records.words import read_words

__all__ = ["ANSWER_WITHIN", "SlackDoor", "SlackDoorSettings"]

#: Seconds in which an answer is given: Slack waits for three.
ANSWER_WITHIN = 2.5
_LISTED = 20
_SIGNATURE = "X-Slack-Signature"
_READS = frozenset({"list", "show"})

log = structlog.get_logger(__name__)


class SlackDoorSettings(Protocol):
    """What is needed of Slack's settings."""

    @property
    def signing_secret(self) -> SecretStr | None: ...
    @property
    def team(self) -> str | None: ...
    def may(self, user: str, role: str) -> bool: ...


class SlackDoor:
    """Receives buttons and commands.

    Args:
        settings: the secret that signs requests (None: none is believed), the workspace, and who may do what.
        policy: returns the policy that is in force.
        views: what is known of the topics.
        door: puts inputs on the topic.
        metrics: counts requests.
        clock: ms since the epoch.
        within: seconds in which an answer is given.
    """

    def __init__(
        self,
        settings: SlackDoorSettings,
        policy: Callable[[], Policy],
        *,
        views: Views,
        door: InputDoor,
        metrics: WebhookMetrics,
        clock: Callable[[], int],
        within: float = ANSWER_WITHIN,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._views = views
        self._door = door
        self._keeper = Doorkeeper("slack", _SIGNATURE, metrics=metrics, clock=clock)
        self._clock = clock
        self._within = within

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one request; it is counted by how it ended."""
        return await self._keeper.answer(request, self._in_time(request))

    async def _in_time(self, request: web.Request) -> tuple[web.Response, str]:
        try:
            async with asyncio.timeout(self._within):
                return await self._receive(request)
        except TimeoutError:
            raise ApiError(
                503, "service_unavailable", "the broker has not acknowledged it in time", {"Retry-After": "5"}
            ) from None

    async def _receive(self, request: web.Request) -> tuple[web.Response, str]:
        secret = self._settings.signing_secret
        if secret is None:
            raise ApiError(
                403, "forbidden", "no signing secret is configured (WATCHOFFICER_SLACK__SIGNING_SECRET)"
            )
        body = await raw_body(request)
        if not is_signed(
            secret,
            body,
            signature=request.headers.get(_SIGNATURE, ""),
            timestamp=request.headers.get("X-Slack-Request-Timestamp", ""),
            now=self._clock(),
        ):
            raise ApiError(401, "unauthorized", f"{_SIGNATURE} does not sign this body, or not now")
        try:
            asked = read_request(body)
        except ValueError as error:
            raise ApiError(400, "bad_request", str(error)) from None
        if isinstance(asked, Unclear):
            return _reply(asked.reply), "ignored"
        refused = self._refusal(asked)
        if refused is not None:
            log.warning("slack_act_refused", act=asked.act, user=asked.person.id, why=refused)
            return _reply(refused), "ignored"
        if asked.act in _READS:
            return _reply(self._told(asked)), "accepted"
        return await self._act(asked)

    def _refusal(self, asked: Asked) -> str | None:
        """Why a person may not ask for this; None if they may."""
        person: Person = asked.person
        if self._settings.team is not None and person.team != self._settings.team:
            return "Only people of the team's own workspace are heard."
        role = "read" if asked.act in _READS else "respond"
        if not self._settings.may(person.id, role):
            return f"You ({person.id}) do not have the role {role} here (WATCHOFFICER_SLACK__ROLES)."
        return None

    async def _act(self, asked: Asked) -> tuple[web.Response, str]:
        value = self._input(asked)
        if isinstance(value, str):
            return _reply(value), "ignored"
        try:
            await self._door.accept(value)
        except ApiError as error:
            if not asked.command:
                raise
            return _reply(f"It was not taken: {error.message}."), "failed"
        return _reply(
            f"Taken: {asked.act.replace('_', '-')} {plain(asked.target, 120)}. The thread says what becomes of it."
        ), "accepted"

    def _input(self, asked: Asked) -> IncidentInput | str:
        """The input that an act becomes, or why there is none."""
        action = BY_KIND[asked.act]  # type: ignore[index]
        fields: dict[str, Any] = {"kind": action.kind}
        if action.kind == "retire":
            value = self._policy().canonical_value(asked.target, asked.text.lower())
            if asked.target not in self._policy().axes or value == OTHER:
                return f"A value is retired on one of {', '.join(self._policy().axes)}."
            fields |= {"env": "prod", "axis": asked.target, "value": value}
        else:
            try:
                fields |= _words_of(asked, action, self._clock())
            except ValueError as error:
                return f"{plain(str(error), 300)}."
            about = self._about(asked, action)
            if isinstance(about, str):
                return about
            fields |= about
        made = IncidentInput(id=asked.key, by=asked.person.by, via="slack", at=self._clock(), **fields)
        try:
            InputRecord.of(made)
        except ValidationError:
            return f"{plain(asked.target, 80)} is no incident and no scope such as prod, prod/ssoe or prod/*/idme."
        return made

    def _about(self, asked: Asked, action: Action) -> dict[str, Any] | str:
        """The fields that say what an act speaks of, or why there is no such thing."""
        if action.about == "cover":
            return {"env": asked.target.rpartition("-c")[0], "item": asked.target}
        if action.about == "scope" or (action.kind == "declare" and self._is_scope(asked.target)):
            return {"env": asked.target.partition("/")[0], "scope": asked.target}
        incident = self._views.incident(asked.target)
        if incident is None:
            return f"There is no incident {plain(asked.target, 80)}; `/watch list` shows those that are open."
        if asked.epoch is not None and int(incident["epoch"]) != asked.epoch:
            return "This message is old: the incident has been reopened since, with a message of its own."
        if incident["state"] == "closed" and not action.late:
            return f"{asked.target} is closed."
        return {"env": str(incident["id"]).rpartition("-")[0], "incident": incident["id"]}

    def _is_scope(self, target: str) -> bool:
        return "/" in target or target in self._policy().envs

    def _told(self, asked: Asked) -> str:
        if asked.act == "show":
            incident = self._views.incident(asked.target)
            return _line(incident) if incident is not None else "There is no such incident."
        lines = [_line(one) for one in self._views.incidents() if one["state"] not in ("resolved", "closed")]
        return "\n".join(lines[:_LISTED]) or "No incident is open."


def _words_of(asked: Asked, action: Action, now: int) -> dict[str, Any]:
    """The fields that the words of a command give; a button gives a text alone."""
    if not asked.command or action.about == "cover":
        return {"text": asked.text[:TEXT_LIMIT]}
    return read_words(action, asked.text, now)


def _reply(text: str) -> web.Response:
    """An answer that only its reader sees; Slack shows it for commands."""
    return json_response({"response_type": "ephemeral", "text": text})


def _line(incident: Mapping[str, Any]) -> str:
    by = (
        f", acknowledged by {plain(str(incident['acknowledged_by']), 80)}"
        if incident.get("acknowledged_by")
        else ""
    )
    sentence = plain(str(incident.get("sentence", "")), 300).replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"*{incident['id']}* severity {incident['severity']}, {incident['scope']}, {incident['state']}{by}:"
        f" {sentence.replace('>', '&gt;')}"
    )
