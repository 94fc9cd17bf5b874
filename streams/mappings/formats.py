"""Which objects does one record hold, in the form in which its producer writes?

Envelopes are taken off, whatever the form: CloudEvents, Connect's ``{schema, payload}``, changes of Debezium, events of
EventBridge, and what the runtime of a container or a daemon of syslog puts around a line.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from streams.mappings.ruby import read_ruby

__all__ = ["Unmatched", "Unreadable", "compiled", "parsed_as", "read_logfmt", "reader"]

_MOST_BYTES = 1 << 20  # of a record: one record may hold many events
_MOST_LINES = 10_000  # and elements of an array
#: Short texts come again, such as messages: what was made of so many of them is kept.
_MOST_KEPT, _KEPT_LENGTH = 4_096, 200
_PAIR = re.compile(r'([\w.@-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_ESCAPED = re.compile(r"\\(.)")
_WRITTEN_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue")
#: Without any of these keys an object is in no envelope.
_ENVELOPED = frozenset({"specversion", "payload", "op", "stream", "detail-type"})
#: What stands before an object where a container's runtime (CRI) or a daemon of syslog wrote the line.
_BEFORE_OBJECT = re.compile(
    rb"(?:\xef\xbb\xbf|\d{4}-\d\d-\d\dT\S+ std(?:out|err) [FP] |<\d{1,3}>[^{]{0,200})(?=\s*[{[])"
)
_NO_SCHEMAS = (
    "avro needs the schemas of its records: set WATCHOFFICER_SCHEMA_REGISTRY__URL to a schema registry, or "
    "WATCHOFFICER_SCHEMA_REGISTRY__FOLDER to a folder with a file for each id, as 7.avsc"
)
_DECODE = msgspec.json.Decoder().decode


class Unreadable(ValueError):
    """A record, or a part of it, is not in the form that the mapping says. The message quotes nothing."""


class Unmatched(Unreadable):
    """A text is not as the pattern of the mapping says: in a log that others share, it is somebody else's line."""


def reader(
    form: str, pattern: str | None, avro: Callable[[bytes], Any] | None = None
) -> Callable[[bytes], list[dict[str, Any]]]:
    """Return how a record becomes objects.

    Args:
        form: json, ndjson, logfmt, regex, json_schema_registry or avro.
        pattern: of ``regex`` with named groups; of the other forms for text that is no JSON; None for none.
        avro: reads a record of the form avro; raises ValueError for what is none.

    Raises:
        ValueError: the pattern is none, or has no named group; or nothing reads avro.
    """
    if form == "avro":
        if avro is None:
            raise ValueError(_NO_SCHEMAS)
        return partial(_of_avro, avro)
    if form == "regex" and pattern is None:
        raise ValueError("the form regex needs a pattern")
    matched = None if pattern is None else compiled(pattern)
    if form == "regex":
        assert matched is not None
        return lambda value: [_matched(_text(value), matched)]
    if form == "logfmt":
        return lambda value: [read_logfmt(_text(value))]
    if form == "ndjson":
        return lambda value: [one for line in _lines(value) for one in _objects(line, matched)]
    if form == "json_schema_registry":
        return lambda value: _objects(_unframed(value), matched)
    return lambda value: _objects(value, matched)


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern with named groups.

    Raises:
        ValueError: it is none.
    """
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if not found.groupindex:
        raise ValueError("the pattern needs named groups, such as (?P<step>\\w+)")
    return found


def parsed_as(kind: str, pattern: str | None) -> Callable[[Any], Any]:
    """Return how a value within a record is parsed: json, ruby, logfmt, tags, attributes, text, or by a pattern.

    The function returns None for what is not of that kind.

    Raises:
        ValueError: the pattern is none.
    """
    if pattern is None:
        return _PARSERS[kind] if kind in ("attributes", "text") else _remembered(_PARSERS[kind])
    matched = compiled(pattern)

    def by_pattern(value: Any) -> Any:
        found = matched.search(value) if isinstance(value, str) else None
        return None if found is None else {k: v for k, v in found.groupdict().items() if v is not None}

    return _remembered(by_pattern)


def _remembered(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``parse``, which keeps what it made of short texts. Nobody may change what it returns."""
    known: dict[str, Any] = {}

    def parsed(value: Any) -> Any:
        if value.__class__ is not str:
            return parse(value)
        if value in known:
            return known[value]
        found = parse(value)
        if len(value) <= _KEPT_LENGTH:
            if len(known) >= _MOST_KEPT:
                known.clear()
            known[value] = found
        return found

    return parsed


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None


def _lines(value: bytes) -> Iterator[bytes]:
    lines = value.splitlines()
    if len(lines) > _MOST_LINES:
        raise Unreadable(f"more than {_MOST_LINES:,} lines in one record")
    return (line for line in lines if line.strip())


def _unframed(value: bytes) -> bytes:
    """Return a record without the five bytes that name its schema in a registry."""
    return value[5:] if value[:1] == b"\0" else value


def _objects(value: bytes, matched: re.Pattern[str] | None) -> list[dict[str, Any]]:
    if len(value) > _MOST_BYTES:
        raise Unreadable(f"larger than {_MOST_BYTES:,} bytes")
    try:
        found = _DECODE(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if (before := _BEFORE_OBJECT.match(value)) is not None:
            return _objects(value[before.end() :], matched)
        if matched is None or value.lstrip().startswith(b"{"):
            raise Unreadable("not JSON") from None
        return [_matched(_text(value), matched)]
    if found.__class__ is dict and _ENVELOPED.isdisjoint(found):
        return [found]
    if found.__class__ is dict and "stream" in found and isinstance(found.get("log"), str):
        return _objects(found["log"].encode("utf-8", "surrogatepass"), matched)  # as Docker writes a line
    return _taken_off(found)


def _of_avro(avro: Callable[[bytes], Any], value: bytes) -> list[dict[str, Any]]:
    if len(value) > _MOST_BYTES:
        raise Unreadable(f"larger than {_MOST_BYTES:,} bytes")
    try:
        found = avro(value)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return _taken_off(found)


def _taken_off(found: Any) -> list[dict[str, Any]]:
    """Take envelopes off what a record holds."""
    many = found if isinstance(found, list) else [found]
    if len(many) > _MOST_LINES:
        raise Unreadable(f"more than {_MOST_LINES:,} events in one record")
    return [one for each in many for one in _unwrapped(each)]


def _unwrapped(value: Any) -> list[dict[str, Any]]:
    """Take envelopes off; a deletion is no event."""
    for _ in range(4):
        if isinstance(value, str):
            value = _json(value)
        if not isinstance(value, dict):
            break
        inner = _inner(value)
        if inner is value:
            return [value]
        value = inner
        if isinstance(value, list):
            return [one for each in value for one in _unwrapped(each)]
        if value is None:
            return []
    if not isinstance(value, dict):
        raise Unreadable("no JSON object")
    return [value]


def _inner(value: dict[str, Any]) -> Any:
    if "specversion" in value and "type" in value:
        if "data_base64" in value:
            try:
                return base64.b64decode(str(value["data_base64"]), validate=True).decode()
            except (binascii.Error, ValueError):
                raise Unreadable("data_base64 is no text in base64") from None
        return value.get("data", value)
    if "detail-type" in value and isinstance(value.get("detail"), dict):
        return value["detail"]
    if "payload" in value and "schema" in value and len(value) == 2:
        return value["payload"]
    if "op" in value and "after" in value and value.keys() & {"source", "before", "ts_ms"}:
        return None if value["op"] == "d" else value["after"]
    return value


def _matched(text: str, matched: re.Pattern[str]) -> dict[str, Any]:
    found = matched.search(text)
    if found is None:
        raise Unmatched("the pattern does not match")
    return {name: value for name, value in found.groupdict().items() if value is not None}


def read_logfmt(text: str) -> dict[str, Any]:
    """Return the pairs of a line of logfmt: ``level=info msg="signed in"``."""
    return {
        name: bare if quoted is None or bare else _ESCAPED.sub(r"\1", quoted)
        for name, quoted, bare in (found.groups() for found in _PAIR.finditer(text))
    }


def _json(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    try:
        return _DECODE(value) if isinstance(value, str) else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _ruby(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    try:
        return read_ruby(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return _json(value)


def _tags(value: Any) -> Any:
    """``["type:idme", "version:v1"]``, or its text, as an object."""
    found = _ruby(value)
    if not isinstance(found, list):
        return None
    pairs = (tag.partition(":") for tag in found if isinstance(tag, str))
    return {name: rest for name, colon, rest in pairs if colon}


def _attributes(value: Any) -> Any:
    """Attributes of OTLP, ``[{"key": …, "value": {"stringValue": …}}]``, as an object."""
    if not isinstance(value, list):
        return value if isinstance(value, dict) else None
    out: dict[str, Any] = {}
    for one in value:
        held = one.get("value") if isinstance(one, dict) else None
        if isinstance(held, dict):
            known = [held[kind] for kind in _WRITTEN_KINDS if kind in held]
            if known:
                out[str(one.get("key"))] = known[0]
    return out


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "json": _json,
    "ruby": _ruby,
    "logfmt": lambda value: read_logfmt(value) if isinstance(value, str) else None,
    "tags": _tags,
    "attributes": _attributes,
    "text": lambda value: None if isinstance(value, bool) or not isinstance(value, str | int) else str(value),
}
