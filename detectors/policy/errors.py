"""How does an error of pydantic read for the author of a policy: its place, plain words, the key that was meant?"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

from detectors.policy.source import Path, PolicyProblem, Refusal, Source, quote
from detectors.policy.types import UnknownName

__all__ = ["problems_of"]

#: pydantic's type of an error -> our words; fields are those of the error's context.
_WORDS = {
    "missing": "is missing",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "mapping_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number that is not infinite",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} entries, has {actual_length}",
    "too_long": "must have at most {max_length} entries, has {actual_length}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
}


def problems_of(error: ValidationError, root: type[BaseModel], source: Source) -> Iterator[PolicyProblem]:
    """What ``error``, raised for ``root``, means for the document ``source``."""
    entries = error.errors(include_url=False)
    wrong_keys = {entry["loc"][:-1] for entry in entries if entry["loc"][-1:] == ("[key]",)}
    for entry in entries:
        path = tuple(part for part in entry["loc"] if part != "[key]")
        if len(path) == len(entry["loc"]) and any(path[: len(key)] == key for key in wrong_keys):
            continue  # what stands under a key that should not be there
        if entry["type"] == "too_short" and len(entry["input"]) >= entry["ctx"]["min_length"]:
            continue  # pydantic counts only the valid entries, and the invalid ones are reported
        message, refusal = _problem(path, entry, root)
        yield source.problem(path, message, refusal)


def _problem(path: Path, entry: Mapping[str, Any], root: type[BaseModel]) -> tuple[str, Refusal]:
    """The message for an error of pydantic, and the id of the refusal. The id never depends on the user's value."""
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), _keys_at(root, path[:-1])), "unknown-name"
    if kind == "fault":
        return str(context["text"]), context["refusal"]
    if kind == "value_error":
        error = context["error"]
        return str(error), "unknown-name" if isinstance(error, UnknownName) else "invalid"
    return _in_words(kind, context, entry), "invalid"


def _in_words(kind: str, context: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    given = entry["input"]
    words = _WORDS.get(kind, "{msg}").format(**context, msg=str(entry["msg"]))
    if kind == "missing" or isinstance(given, dict | list | tuple):
        return words
    quotes = " (put it in quotes)" if kind == "string_type" and given is not None else ""
    return f"{words}, is {_as_written(given)}{quotes}"


def _as_written(value: object) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else quote(value)


def _unknown_key(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.6)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; known here: {', '.join(known)}" if len(known) <= 12 else "unknown key"


def _keys_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that a section of the policy has, going down from ``model`` along ``path``."""
    here: Any = model
    for part in path:
        here = _below(here, part)
    section = _unwrapped(here)
    return tuple(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else ()


def _below(annotation: Any, part: str | int) -> Any:
    here = _unwrapped(annotation)
    if isinstance(here, type) and issubclass(here, RootModel):
        here = here.model_fields["root"].annotation
    if isinstance(here, type) and issubclass(here, BaseModel):
        return here.model_fields[str(part)].annotation
    arguments = get_args(here)
    # A mapping's values come last; a list's items, all of one kind, first.
    return arguments[0 if isinstance(part, int) else -1] if arguments else None


def _unwrapped(annotation: Any) -> Any:
    """What ``Annotated[X, ...]`` and ``X | None`` are about."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = get_args(annotation)[0]
    return annotation
