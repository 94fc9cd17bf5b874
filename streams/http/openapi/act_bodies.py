"""What may the body of an act hold, as a schema?"""

from __future__ import annotations

from typing import Any

from detectors.process.actions import Action
from streams.http.bodies import ActBody

__all__ = ["Schema", "act_body"]

Schema = dict[str, Any]

#: Acts on a scope that are of prod if they name none.
_DEFAULT_SCOPE = ("report", "deploy")
#: Texts lose the white space around them before their length is judged.
_SOME_TEXT = {"pattern": r"\S"}


def act_body(action: Action) -> Schema:
    """Return the schema of an act's body: only the fields that the act takes, and those with a value that it needs."""
    takes = ["by", *action.needs, *action.may]
    if action.about == "scope":
        takes.append("scope")
    if action.about in ("value", "cover"):
        takes.append("env")
    needs = [
        *action.needs,
        *(["scope"] if action.about == "scope" and action.kind not in _DEFAULT_SCOPE else []),
    ]
    if action.about == "cover":
        needs = []  # the path names what ends
    never_null = {*needs, "scope"}
    fields = ActBody.model_json_schema()["properties"]
    shown = {name: _field(fields[name], needed=name in never_null) for name in dict.fromkeys(takes)}
    if "text" in needs:
        shown["text"] = shown["text"] | _SOME_TEXT
    return {
        "type": "object",
        "properties": shown,
        "additionalProperties": False,
        **({"required": needs} if needs else {}),
        **(_TEXT_OR_ITEM if action.kind == "follow_up" else {}),
    }


#: Of a follow-up: what is left to do, or the number of one that there is.
_TEXT_OR_ITEM: Schema = {
    "anyOf": [
        {"required": ["text"], "properties": {"text": {"type": "string", **_SOME_TEXT}}},
        {"required": ["item"], "properties": {"item": {"type": "string"}}},
    ]
}


def _field(schema: Schema, *, needed: bool) -> Schema:
    """Return the schema of one field, without null if it must have a value."""
    kept = {key: of for key, of in schema.items() if key not in ("title", "default")}
    if needed and "anyOf" in kept:
        (only,) = [one for one in kept.pop("anyOf") if one != {"type": "null"}]
        kept |= only
    if "anyOf" in kept:
        kept["anyOf"] = [_said(one) for one in kept["anyOf"]]
    return _said(kept)


def _said(schema: Schema) -> Schema:
    """Return a schema as what is taken, which is more than what is written: states may stand twice."""
    bounds = ("uniqueItems", "maxItems") if schema.get("uniqueItems") else ()
    kept = {key: of for key, of in schema.items() if key not in bounds}
    return kept | _SOME_TEXT if kept.get("minLength") == 1 and "pattern" not in kept else kept
