"""Which keys has a policy? ``python -m streams.cli.guidance.policy_reference`` writes ``docs/policy-reference.md``.

Names, kinds and bounds come from the models, defaults and sources from the policy that ships, whose comments say
``# source: meaning``. Where the docstring of a section says what a key means, the comment is the reason for its
value. A test compares the page with the one that is checked in.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, RootModel
from pydantic.fields import FieldInfo

from detectors.policy import types
from detectors.policy.policy import Policy
from detectors.policy.source import read_source

__all__ = ["PAGE", "Key", "keys", "render"]

#: The page, from the root of the repository.
PAGE = Path("docs", "policy-reference.md")
_SHIPPED = "default_policy.yaml"

_INTRODUCTION = """# Policy reference

Every key of a policy, made by `python -m streams.cli.guidance.policy_reference` from the models and from
[the policy that ships](../detectors/default_policy.yaml). [policy.md](policy.md) and [detection.md](detection.md)
explain how keys work together.

Durations carry their unit (`500ms`, `30s`, `1h30m`, `35d`), shares are from 0 to 1, instants are RFC 3339 with an
offset. `<…>` stands for a name that the policy chooses, `[]` for each entry of a list; what such entries are by
default, and long lists, stand in the policy that ships. The source "ours" means that no public document gives the
value; what follows it is the reason.
"""
_HEAD = "| key | kind | default | what it says | source |\n|---|---|---|---|---|\n"
#: Kinds of values by the names that the models give them, the narrowest first.
_NAMED: tuple[tuple[Any, str], ...] = (
    (types.Duration, "duration"),
    (types.Instant, "instant"),
    (types.Day, "day"),
    (types.Severity, "severity"),
    (types.Url, "URL"),
    (types.ScopePath, "scope"),
    (types.AxisValue, "value"),
    (types.Runbook, "runbook or URL"),
    (types.RunbookKey, "what it is for"),
    (types.ErrorCode, "error code"),
    (types.Ratio, "share"),
    (types.Count, "whole number"),
)
#: Bounds that a number may have, by the names of the types that annotate them.
_BOUNDS = {"Ge": "≥", "Gt": ">", "Le": "≤", "Lt": "<"}
_PLAIN = {int: "number", float: "number", str: "text", bool: "true or false"}
_LONGEST = 48  # characters of a default; a longer one is in the policy that ships


@dataclass(frozen=True)
class Key:
    """A row of the page: a key with its kind, default, meaning and source; "" where there is none."""

    path: str
    kind: str
    default: str
    meaning: str
    source: str

    def row(self) -> str:
        """The key as a line of a table."""
        cells = (f"`{self.path}`", self.kind, self.default, self.meaning, self.source)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def render() -> str:
    """Return the page: a table of the keys that stand alone, then a table for each section."""
    found = list(keys())
    sections = list(dict.fromkeys(re.split(r"[.\[]", key.path)[0] for key in found))
    of = {name: [key for key in found if re.split(r"[.\[]", key.path)[0] == name] for name in sections}
    alone = [rows[0] for rows in of.values() if len(rows) == 1]
    page = _INTRODUCTION + "\n## Keys without a section\n\n" + _HEAD + "".join(key.row() for key in alone)
    for name, rows in of.items():
        if len(rows) > 1:
            page += f"\n## {name}\n\n{_HEAD}" + "".join(key.row() for key in rows)
    return page


def keys() -> Iterator[Key]:
    """Yield every key of a policy, in the order of the models, a section before its keys."""
    shipped = _Shipped(resources.files("detectors").joinpath(_SHIPPED).read_text("utf-8"))
    yield from _of_model(Policy, "", (), shipped)


class _Shipped:
    """The policy that ships, with what its comments say."""

    def __init__(self, text: str) -> None:
        source = read_source(text, _SHIPPED)
        self._values = source.values
        lines = text.splitlines()
        starts = sorted((at.line, len(path), path) for path, at in source.positions.items())
        self._comments: dict[tuple[str | int, ...], str] = {}
        taken: set[int] = set()
        for line, _, path in starts[1:]:  # the first is the document
            _, mark, comment = lines[line - 1].partition(" # ")
            if mark and line not in taken:
                self._comments[path] = comment.strip()
            taken.add(line)

    def default(self, path: tuple[str, ...]) -> str:
        """The value at a path as it is written; "" where there is none, or it is long."""
        value = self._values
        for part in path:
            if not isinstance(value, Mapping) or part not in value:
                return ""
            value = value[part]
        if isinstance(value, Mapping):
            return ""
        words = ", ".join(map(str, value)) if isinstance(value, list) else _word(value)
        if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            return ""
        return f"`{words}`" if words and len(words) <= _LONGEST else "none" if not words else ""

    def said(self, path: tuple[str, ...]) -> str:
        """The comment beside a key; "" where there is none, and below names that the policy chooses."""
        return self._comments.get(path, "")


def _word(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _of_model(model: type[BaseModel], above: str, path: tuple[str, ...], shipped: _Shipped) -> Iterator[Key]:
    told = _attributes(model)
    for name, field in model.model_fields.items():
        own = f"{above}.{name}" if above else name
        comment = shipped.said((*path, name))
        kind = _kind(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation)
        below = _model_in(field.annotation)
        said = told.get(name, "") or (_first_sentence(below) if below is not None else "")
        source, _, reason = comment.partition(": ")
        meaning, source = (said, comment) if said else (reason, source)
        yield Key(own, kind, _default(field, shipped, (*path, name)), meaning.rstrip("."), source)
        yield from _within(field.annotation, own, (*path, name), shipped)


def _default(field: FieldInfo, shipped: _Shipped, path: tuple[str, ...]) -> str:
    found = shipped.default(path)
    return found or ("optional" if not field.is_required() else "")


def _within(annotation: Any, above: str, path: tuple[str, ...], shipped: _Shipped) -> Iterator[Key]:
    """Yield the keys below a value: of a section, of each entry of a list or of a mapping."""
    base = _bare(annotation)
    if get_origin(base) is tuple:
        model = _bare(get_args(base)[0])
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from _of_model(model, f"{above}[]", (*path, "[]"), shipped)
    elif get_origin(base) in (Mapping, dict) or _is_mapping(base):
        key, value = get_args(base)
        name = f"<{_kind(key)}>"
        yield from _within(value, f"{above}.{name}", (*path, name), shipped)
    elif isinstance(base, type) and issubclass(base, RootModel):
        yield from _within(base.model_fields["root"].annotation, above, path, shipped)
    elif isinstance(base, type) and issubclass(base, BaseModel):
        yield from _of_model(base, above, path, shipped)


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a value is, or that the entries of a list or mapping are; None where they are plain."""
    base = _bare(annotation)
    if isinstance(base, type) and issubclass(base, RootModel):
        return _model_in(base.model_fields["root"].annotation)
    if isinstance(base, type):
        return base if issubclass(base, BaseModel) else None
    if get_origin(base) is tuple:
        return _model_in(get_args(base)[0])
    return _model_in(get_args(base)[1]) if _is_mapping(base) else None


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _kind(annotation: Any) -> str:
    """What kind of value an annotation takes, in words, with its bounds."""
    base, marks = _bare(annotation), _marks(annotation)
    for named, words in _NAMED:
        if all(mark in marks for mark in _marks(named)):
            return words + _bounds(marks, _marks(named))
    origin = get_origin(base)
    if origin is Literal:
        return " or ".join(map(str, get_args(base)))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys("null" if one is NoneType else _kind(one) for one in get_args(base)))
    if origin is tuple:
        first, last = get_args(base)[0], get_args(base)[-1]
        return f"list of {'' if last is Ellipsis else f'{len(get_args(base))}: '}{_kind(first)}"
    if _is_mapping(base):
        return f"{_kind(get_args(base)[0])} → {_kind(get_args(base)[1])}"
    if isinstance(base, type) and issubclass(base, RootModel):
        return _kind(base.model_fields["root"].annotation)
    if isinstance(base, type) and issubclass(base, BaseModel):
        return "section"
    return _PLAIN.get(base, "text") + _bounds(marks, [])


def _marks(annotation: Any) -> list[Any]:
    """What is annotated to a type, from the inside out."""
    if get_origin(annotation) is not Annotated:
        return []
    base, *more = get_args(annotation)
    own = [mark for one in more for mark in (one.metadata if isinstance(one, FieldInfo) else [one])]
    return [*_marks(base), *own]


def _bounds(marks: list[Any], known: list[Any]) -> str:
    """The bounds of a value, beyond those that its kind has."""
    words = [
        f"{_BOUNDS[type(mark).__name__]} {getattr(mark, type(mark).__name__.lower()):,}"
        for mark in marks
        if type(mark).__name__ in _BOUNDS and mark not in known
    ]
    for mark in marks:
        if isinstance(mark, AfterValidator) and mark.func.__qualname__.startswith("within."):
            held = inspect.getclosurevars(mark.func).nonlocals
            words.append(f"{held['least']} to {held['most']}")
    return f", {', '.join(words)}" if words else ""


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Name -> what the docstrings of a model, and of those that it extends, say of an attribute."""
    told: dict[str, str] = {}
    for one in reversed(model.__mro__):
        _, _, listed = inspect.cleandoc(one.__doc__ or "").partition("Attributes:\n")
        for names, words in re.findall(r"^    ((?:\w+, )*\w+): (.*(?:\n     .*)*)", listed, re.MULTILINE):
            told |= dict.fromkeys(names.split(", "), _for_readers(words))
    return told


def _first_sentence(model: type[BaseModel]) -> str:
    first = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]
    return _for_readers(first).partition(". ")[0]


def _for_readers(words: str) -> str:
    """The words of a docstring for those who write policies, where durations carry their unit."""
    words = re.sub(r"\s+", " ", words).replace("``", "`")
    words = re.sub(r"^ms since the epoch", "instant", words)
    words = re.sub(r"^ms (?=that|below|after)", "time ", words)
    words = re.sub(r"^ms[:;] ", "", words)
    words = re.sub(r",? ms(?: since the epoch)?\b", "", words)
    return words.replace("None:", "null:").replace("None (", "null (").strip()


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
