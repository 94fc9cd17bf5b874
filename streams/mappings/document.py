"""What does a mapping file say? Its sections, checked with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from detectors.policy.errors import problems_of
from detectors.policy.source import PolicyError, read_source
from detectors.policy.types import Fault, Section

__all__ = ["FieldRule", "MappingFile", "ParseStep", "read_mapping"]

Text = Annotated[str, Field(strict=True, min_length=1, max_length=2_000)]
#: One text, or several.
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
FieldName = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Scalar = str | int | float | bool | None
#: Fields without which a record is no event.
NEEDED = ("occurred_at", "env", "auth_method", "step", "outcome")


class ParseStep(Section):
    """Text within a record that is read as more than text, before fields are looked up.

    Attributes:
        path: where the text stands.
        into: the key under which what was read is put.
        kind: how it is read: json, ruby (``inspect``), logfmt, tags (``["type:idme"]``), attributes (of OTLP),
            text (also a whole number).
        pattern: a regular expression with named groups, instead of ``kind``.
        table: text -> what is put there, instead of ``kind``.
    """

    path: Text
    into: FieldName
    kind: Annotated[
        Literal["json", "ruby", "logfmt", "tags", "attributes", "text"] | None,
        Field(alias="as", default=None),
    ]
    pattern: Text | None = None
    table: Mapping[str, Any] | None = None

    def faults(self) -> Iterator[Fault]:
        if sum(one is not None for one in (self.kind, self.pattern, self.table)) != 1:
            yield Fault((), "must have one of as, pattern and table")


class FieldRule(Section):
    """Where the value of a field comes from.

    Attributes:
        path: a path or an expression; several: the first that has a value.
        const: the value itself.
        template: text with ``{path}`` in it; no value where one of these has none.
        when: only where this condition holds.
        table: value -> the field's value; what is not listed has none, but for ``default``.
        default: the value where the table lists none.
        hash: the value is replaced by a keyed hash, so that raw ids go no further: of a person, a flow, or a visitor.
        unit: of a time: s, ms, us, ns since 1970, rfc3339, or iso (without an offset in ``zone``, else UTC).
        form: of a time: a form of strptime.
        zone: of a time without an offset.
        scale: a number is multiplied by this (seconds to milliseconds: 1000).
    """

    path: Texts = ()
    const: Scalar = None
    template: Text | None = None
    when: Text | None = None
    table: Mapping[str, Scalar] | None = None
    default: Scalar = None
    hash: Literal["person", "flow", "visitor"] | None = None
    unit: Text | None = None
    form: Text | None = None
    zone: Text | None = None
    scale: float | None = None

    def faults(self) -> Iterator[Fault]:
        if sum((bool(self.path), self.const is not None, self.template is not None)) != 1:
            yield Fault((), "must have one of path, const and template")
        if self.default is not None and self.table is None:
            yield Fault(("default",), "is for a table")


#: One rule, or several of which the first with a value counts.
Rules = Annotated[
    tuple[FieldRule, ...], BeforeValidator(lambda value: (value,) if isinstance(value, dict) else value)
]


class MappingFile(Section):
    """A mapping: which records, in which form, and where each field of an event comes from.

    Attributes:
        name: of the mapping.
        about: a sentence for people.
        topic: whose records they are; part of the position that names an event without an id.
        format: json, ndjson, logfmt, regex, or with the five bytes of a schema registry json_schema_registry or avro.
        pattern: of regex; of the other formats for records that are no JSON.
        unwrap: where in a record the events stand, ``[]`` for each element; several: the first that has any.
        parse: text within a record that is read as more than text, in this order.
        skip: rule -> condition under which a record is no event.
        where: the condition under which a record is an event at all.
        shape: where the text stands whose shape names a record that no rule knows.
        fields: field of the event -> rule, or rules of which the first with a value counts.
    """

    name: Name
    about: Text = "a mapping"
    topic: Text = "login-events"
    format: Literal["json", "ndjson", "logfmt", "regex", "json_schema_registry", "avro"] = "json"
    pattern: Text | None = None
    unwrap: Texts = ("$",)
    parse: tuple[ParseStep, ...] = ()
    skip: Mapping[Name, Text] = {}
    where: Text | None = None
    shape: Text | None = None
    fields: Mapping[FieldName, Rules]

    def faults(self) -> Iterator[Fault]:
        for name in NEEDED:
            if name not in self.fields:
                yield Fault(("fields",), f"lacks {name}, without which nothing is an event")


def read_mapping(text: str | bytes, name: str) -> tuple[MappingFile, Any]:
    """Read a mapping file; return it with its source, which knows the line of each value.

    Raises:
        PolicyError: it cannot be used; every problem, with file and line.
    """
    source = read_source(text, name)
    if not isinstance(source.values, dict):
        raise PolicyError(
            (source.problem((), "must be a mapping with the keys name, topic, format and fields"),)
        )
    problems = list(source.problems)
    try:
        file = MappingFile.model_validate(source.values)
    except ValidationError as error:
        problems += problems_of(error, MappingFile, source)
        raise PolicyError(tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column)))) from None
    if problems:
        raise PolicyError(tuple(problems))
    return file, source
