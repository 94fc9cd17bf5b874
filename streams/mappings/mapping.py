"""Which events are in a producer's own record? A pure function of the record, its position and the hash key."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from detectors.policy.source import PolicyError, PolicyProblem, Source
from streams.mappings.account import Account, Mapped, shape_of
from streams.mappings.conditions import Condition, condition
from streams.mappings.document import FieldRule, MappingFile, ParseStep, read_mapping
from streams.mappings.formats import Unmatched, Unreadable, parsed_as, reader
from streams.mappings.paths import Getter, expand, getter
from streams.mappings.schemas.store import Schemas
from streams.mappings.times import timer

__all__ = [
    "FIXED_KEY",
    "UNLISTED",
    "RecordMapping",
    "compile_mapping",
]

#: The key of ``replay`` without a key of its own: hashes are then equal everywhere, and no secret.
FIXED_KEY = b"watchofficer: no secret, for replay"
#: The rule by which a record is skipped that states no step or outcome which the mapping lists.
UNLISTED = "unlisted"
#: The rule by which a line of text is skipped that is not as the pattern of its mapping says.
UNMATCHED = "unmatched"
_Values = Callable[[dict[str, Any]], Any]
_PLACES = re.compile(r"\{([^{}]+)\}")
#: So much of a record is looked at for its shape.
_MOST_BYTES = 480
#: Hashes that are kept of each kind: a person or flow comes again.
_MOST_KNOWN = 16_384
_NUMBERS = ("duration_ms", "authentication_time_s")
_ENCODE = msgspec.json.Encoder().encode


class RecordMapping:
    """A compiled mapping.

    Args:
        file: what the mapping file says.
        source: knows the line of each value, for errors.
        key: of the hashes of raw ids.
        schemas: of records in Avro; None where there are none.

    Attributes:
        account: what became of the records so far that ``map`` was given.
        digest: of the text of the mapping.
        key_fingerprint: tells one key from another, and nothing else of it.
        schemas: those by which the records are read; None where they need none.

    Raises:
        PolicyError: a path, a condition, a pattern or a unit cannot be used; every one, with file and line.
    """

    def __init__(
        self,
        file: MappingFile,
        source: Source,
        key: bytes = FIXED_KEY,
        digest: bytes = b"",
        schemas: Schemas | None = None,
    ) -> None:
        self.name, self.topic, self.fields = file.name, file.topic, tuple(file.fields)
        self.account = Account()
        self.digest = digest
        self.key_fingerprint = hmac.digest(key, b"fingerprint\0", "sha256")[:8].hex()
        self.schemas = schemas if file.format == "avro" else None
        self._missing = set(file.fields)
        self._key = key
        self._problems: list[PolicyProblem] = []
        self._source = source
        avro = None if schemas is None else schemas.decode
        at = "format" if file.format == "avro" else "pattern"
        self._read = self._compiled((at,), lambda: reader(file.format, file.pattern, avro))
        self._unwrap = None if file.unwrap == ("$",) else file.unwrap
        self._parse = [self._step(n, step) for n, step in enumerate(file.parse)]
        self._skip: list[tuple[str, Condition]] = [
            (rule, self._compiled(("skip", rule), partial(condition, text)))
            for rule, text in file.skip.items()
        ]
        where = file.where
        self._where = None if where is None else self._compiled(("where",), lambda: condition(where))
        self._shape = (
            None if file.shape is None else self._compiled(("shape",), lambda: getter(file.shape or "$"))
        )
        self._fields: list[tuple[str, _Values]] = [
            (name, self._field(name, rules)) for name, rules in file.fields.items()
        ]
        if self._problems:
            raise PolicyError(tuple(self._problems))

    def never_found(self) -> list[str]:
        """Return the fields of which no event has had a value so far, in the order of the file."""
        return [name for name in self.fields if name in self._missing]

    # -- compiling --------------------------------------------------------------------------------------------

    def _compiled(self, path: tuple[str | int, ...], make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (ValueError, KeyError) as error:
            self._problems.append(self._source.problem(path, str(error)))
            return None

    def _step(self, n: int, step: ParseStep) -> tuple[str, Getter, Callable[[Any], Any]]:
        path = ("parse", n)
        get = self._compiled((*path, "path"), lambda: getter(step.path))
        table = step.table
        if table is not None:
            return step.into, get, lambda value: table.get(value) if isinstance(value, str) else None
        parse = self._compiled((*path, "pattern"), lambda: parsed_as(step.kind or "", step.pattern))
        return step.into, get, parse

    def _field(self, name: str, rules: tuple[FieldRule, ...]) -> _Values:
        compiled = [self._rule(name, n if len(rules) > 1 else None, rule) for n, rule in enumerate(rules)]
        if len(compiled) == 1:
            return compiled[0]

        def first(record: dict[str, Any]) -> Any:
            for rule in compiled:
                value = rule(record)
                if value is not None:
                    return value
            return None

        return first

    def _rule(self, name: str, n: int | None, rule: FieldRule) -> _Values:
        path: tuple[str | int, ...] = ("fields", name) if n is None else ("fields", name, n)
        get = self._value(path, rule)
        stages: list[Callable[[Any], Any]] = []
        if rule.table is not None:
            stages.append(_tabled(rule.table, rule.default))
        if rule.unit or rule.form or name == "occurred_at":
            unit = rule.unit or "rfc3339"
            stages.append(self._compiled((*path, "unit"), lambda: timer(unit, rule.form, rule.zone)))
        if rule.hash is not None:
            stages.append(self._hashed(rule.hash))
        stages.append(_number(rule.scale) if name in _NUMBERS or rule.scale else _text)
        if rule.const is not None:
            const = rule.const if name in _NUMBERS else _text(rule.const)
            return self._when(path, rule, lambda record: const)
        if stages == [_text]:

            def text(record: dict[str, Any]) -> Any:
                found = get(record)
                return found if found.__class__ is str and found else _text(found)

            return self._when(path, rule, text)
        if rule.table is not None and stages[1:] == [_text]:
            return self._when(path, rule, _looked_up(get, rule.table, rule.default))

        def value(record: dict[str, Any]) -> Any:
            found = get(record)
            for stage in stages:
                if found is None and stage is not stages[0]:
                    return None
                found = stage(found)
            return found

        return self._when(path, rule, value)

    def _when(self, path: tuple[str | int, ...], rule: FieldRule, value: _Values) -> _Values:
        text = rule.when
        if text is None:
            return value
        holds = self._compiled((*path, "when"), lambda: condition(text))
        return lambda record: value(record) if holds(record) else None

    def _value(self, path: tuple[str | int, ...], rule: FieldRule) -> Getter:
        if rule.template is not None:
            return self._template((*path, "template"), rule.template)
        getters: list[Getter] = [self._compiled((*path, "path"), partial(getter, one)) for one in rule.path]
        if len(getters) == 1:
            return getters[0]

        def found(record: dict[str, Any]) -> Any:
            for get in getters:
                value = get(record)
                if value is not None and value != "":
                    return value
            return None

        return found

    def _template(self, path: tuple[str | int, ...], template: str) -> Getter:
        literal = _PLACES.split(template)[::2]
        getters = [self._compiled(path, partial(getter, one)) for one in _PLACES.findall(template)]
        after = list(zip(getters, literal[1:], strict=True))

        def filled(record: dict[str, Any]) -> str | None:
            out = [literal[0]]
            for get, part in after:
                value = get(record)
                if value.__class__ is not str or not value:
                    value = _text(value)
                    if value is None:
                        return None
                out.append(value)
                out.append(part)
            return "".join(out)

        return filled

    def _hashed(self, kind: str) -> Callable[[Any], str | None]:
        secret, of_kind = self._key, kind.encode() + b"\0"
        known: dict[str, str] = {}

        def digest(value: Any) -> str | None:
            text = _text(value)
            if not text:
                return None
            found = known.get(text)
            if found is None:
                mac = hmac.digest(secret, of_kind + text.encode("utf-8", "surrogatepass"), "sha256")
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                found = known[text] = f"h:{mac[:16].hex()}"
            return found

        return digest

    # -- mapping ----------------------------------------------------------------------------------------------

    def map(self, value: bytes | None, position: str) -> Mapped:
        """Return what becomes of a record, and count it in the account. Never raises; see ``made``."""
        mapped = self.made(value, position)
        self.account.add(mapped)
        return mapped

    def made(self, value: bytes | None, position: str) -> Mapped:
        """Return what becomes of a record. Never raises, and counts nothing.

        Args:
            value: of the record.
            position: names the record: topic/partition/offset. An event without an id is named by it and its place.
        """
        mapped = Mapped()
        try:
            if value is None:
                raise Unreadable("empty")
            for n, record in enumerate(self._parts(self._read(value))):
                self._one(record, f"{position}/{n}", mapped)
        except Unmatched:
            text = (value or b"")[:_MOST_BYTES].decode("utf-8", "replace")
            mapped.skipped.append((UNMATCHED, shape_of(text)))
        except Unreadable as error:
            mapped.unreadable = str(error)
        return mapped

    def _parts(self, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if self._unwrap is None:
            yield from records
            return
        for record in records:
            for path in self._unwrap:
                found = [one for one in expand(record, path) if isinstance(one, dict)]
                if found:
                    yield from found
                    break

    def _one(self, record: dict[str, Any], position: str, mapped: Mapped) -> None:
        if self._parse:
            record = dict(record)
            for into, get, parse in self._parse:
                found = parse(get(record))
                if found is not None:
                    record[into] = found
        for rule, holds in self._skip:
            if holds(record):
                mapped.skipped.append((rule, ""))
                return
        if self._where is not None and not self._where(record):
            mapped.skipped.append(("where", self._shape_of(record)))
            return
        event: dict[str, Any] = {"schema_version": 1}
        for name, value_of in self._fields:
            value = value_of(record)
            if value is not None:
                event[name] = value
        if "step" not in event or "outcome" not in event:
            mapped.skipped.append((UNLISTED, self._shape_of(record)))
            return
        if self._missing:
            self._missing -= event.keys()
        event.setdefault("event_id", position)
        mapped.events.append(_ENCODE(event))

    def _shape_of(self, record: dict[str, Any]) -> str:
        told = None if self._shape is None else self._shape(record)
        if told is None:  # what it has is the most that can be said of it
            told = " ".join(sorted(map(str, record)))
        return shape_of(str(told)[:_MOST_BYTES])


def _text(value: Any) -> str | None:
    """Return a value as text; a number as it is written, true and false; None for anything else, and for no text."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    return None


def _tabled(table: Mapping[str, Any], default: Any) -> Callable[[Any], Any]:
    def looked_up(value: Any) -> Any:
        text = _text(value)
        return default if text is None else table.get(text, default)

    return looked_up


def _looked_up(get: Getter, table: Mapping[str, Any], default: Any) -> _Values:
    """Return the value of a table, as text; the way of ``_tabled`` and ``_text``, in one look-up where it is a text."""
    texts = {key: _text(value) for key, value in table.items()}
    other = _text(default)

    def looked_up(record: dict[str, Any]) -> str | None:
        found = get(record)
        if found.__class__ is not str:
            found = _text(found)
        return other if found is None else texts.get(found, other)

    return looked_up


def _number(scale: float | None) -> Callable[[Any], float | None]:
    factor = 1.0 if scale is None else scale

    def number(value: Any) -> float | None:
        try:
            found = float(value) * factor if isinstance(value, str | int | float) else None
        except (ValueError, OverflowError):
            return None
        return found if found is not None and 0 <= found < float("inf") else None

    return number


def compile_mapping(
    text: str | bytes, name: str, key: bytes = FIXED_KEY, schemas: Schemas | None = None
) -> RecordMapping:
    """Compile the text of a mapping file, with the key of its hashes and the schemas of records in Avro.

    Raises:
        PolicyError: it cannot be used; every problem, with file and line.
    """
    file, source = read_mapping(text, name)
    digest = hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()
    return RecordMapping(file, source, key, digest, schemas)
