"""What may the body of a person's request hold, by act?"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from detectors.incidents import IncidentInput
from detectors.process.actions import Action, misgiven
from detectors.process.vocabulary import Role, Stage
from streams.http.responses import ApiError
from streams.records.fields import Env, Instant, Scope, States, Value
from streams.records.models import (
    ID_LIMIT,
    NAME_LIMIT,
    RULE_LIMIT,
    TEXT_LIMIT,
    InputRecord,
    Link,
    complaints,
)

__all__ = ["ActBody", "given_of", "made"]


class ActBody(BaseModel):
    """The fields of all acts; ``given_of`` says whether an act takes those that have a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)] = "somebody"
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""
    role: Role | None = None
    who: Annotated[str | None, Field(min_length=1, max_length=NAME_LIMIT)] = None
    stage: Stage | None = None
    since: Instant | None = None
    until: Instant | None = None
    link: Link | None = None
    public: StrictBool | None = None
    item: Annotated[str | None, Field(min_length=1, max_length=ID_LIMIT)] = None
    recurs: Annotated[str | None, Field(min_length=1, max_length=RULE_LIMIT)] = None
    states: States | None = None
    axis: str | None = None
    value: Value | None = None
    scope: Scope | None = None
    env: Env | None = None


def given_of(action: Action, body: ActBody) -> dict[str, Any]:
    """Return the fields that a body gives an act, without who asks, the scope and the environment.

    Raises:
        ApiError: the act lacks a field, or takes one of them not.
    """
    given = {
        name: value
        for name, value in body
        if name not in ("by", "scope", "env") and value is not None and value != ""
    }
    wrong = misgiven(action, frozenset(given))
    if action.about != "scope" and body.scope is not None:
        wrong = f"scope: {action.word} takes none"
    if action.about not in ("value", "cover") and body.env is not None:
        wrong = f"env: {action.word} takes none"
    if wrong is not None:
        raise ApiError(400, "bad_request", wrong)
    return given


def made(**fields: Any) -> IncidentInput:
    """Return the input with these fields.

    Raises:
        ApiError: it is none that the topic may hold.
    """
    value = IncidentInput(**fields)
    try:
        InputRecord.of(value)
    except ValidationError as error:
        raise ApiError(400, "bad_request", complaints(error)) from None
    return value
