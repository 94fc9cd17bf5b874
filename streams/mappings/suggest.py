"""Which mapping do samples suggest? Fields are recognised by their names and by what their values look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import msgspec

from streams.mappings.formats import Unreadable, reader
from streams.mappings.paths import PATH, expand

__all__ = ["suggest"]

_SAMPLES = 2_000
_DEPTH = 4
#: Field of an event -> what the last part of a path to it is called, or the last two, the likeliest first.
_NAMES = {
    "occurred_at": ("occurred_?at", "@?timestamp", "time", "date", "published", "created.*", "ts"),
    "event_id": ("event_?id", "log_?id", "uuid", "id"),
    "step": ("step", "action", "event_?type", "event_?name", "type"),
    "outcome": ("outcome", "result", "status", "success"),
    "csp": ("csp", "identity_?provider", "provider", "connection", "idp"),
    "client_id": ("client_?id", "app_?id", "client", "application"),
    "error_code": ("error_?code", "error", "code", "reason"),
    "flow_id": ("flow_?id", "correlation_?id", "session_?id", "transaction_?id", "trace_?id", "code_id"),
    "user_hash": (
        "user_?hash",
        "user_?id",
        "sub",
        "subject",
        "actor_id",
        "icn",
        r"(user|actor|person|account|subject)\.(uu)?id",
    ),
    "duration_ms": ("duration(_?ms)?", "elapsed(_?ms)?", "latency(_?ms)?"),
}
_METHODS = frozenset({"ssoe", "sis"})
_HASHED = {"flow_id": "flow", "user_hash": "person"}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_UNITS = ((1e8, 1e10, "s"), (1e11, 1e13, "ms"), (1e14, 1e16, "us"), (1e17, 1e19, "ns"))
_WORDS = re.compile(r"[A-Za-z][\w .-]{0,40}")
_MOST_VALUES = 20


def suggest(values: Iterable[bytes]) -> str | None:
    """Return the text of a mapping file with gaps to be filled; None if no value holds a JSON object."""
    read = reader("json", None)
    seen: dict[str, list[Any]] = {}
    unwrap: str | None = None
    records = 0
    for value in islice(values, _SAMPLES):
        try:
            objects = read(value)
        except Unreadable:
            continue
        if not records and len(objects) == 1:
            unwrap = _holder(objects[0])
        for one in (
            objects if unwrap is None else chain.from_iterable(expand(each, unwrap) for each in objects)
        ):
            if not isinstance(one, dict):
                continue
            records += 1
            for path, held in _leaves(one, "", 0):
                seen.setdefault(path, []).append(held)
    return "".join(_written(seen, records, unwrap)) if records else None


def _holder(record: dict[str, Any]) -> str | None:
    """Return the path of the events in a record that is a page or an export of them; None if it is none."""
    held = [
        name
        for name, value in record.items()
        if PATH.fullmatch(name) and isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    dated = any(_unit(value) is not None for value in record.values())
    return f"{held[0]}[]" if len(held) == 1 and not dated else None


def _leaves(value: dict[str, Any], above: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, held in value.items():
        path = f"{above}.{name}" if above else name
        if isinstance(held, dict) and depth < _DEPTH:
            yield from _leaves(held, path, depth + 1)
        elif not isinstance(held, dict | list) and held is not None:
            yield path, held


def _candidates(field: str, seen: dict[str, list[Any]]) -> list[str]:
    """Return the paths that a field may come from, the likeliest first."""

    def place(path: str) -> int | None:
        above, _, name = path.rpartition(".")
        names = (name, f"{above.rpartition('.')[2]}.{name}")
        return next(
            (
                n
                for n, word in enumerate(_NAMES[field])
                if any(re.fullmatch(word, one, re.IGNORECASE) for one in names)
            ),
            None,
        )

    found = [path for path in seen if place(path) is not None]
    if field == "occurred_at":
        found = [path for path in found if _unit(seen[path][0]) is not None]
        found = found or [path for path in seen if _unit(seen[path][0]) is not None]

    return sorted(
        found, key=lambda path: (len(_NAMES[field]) if place(path) is None else place(path), path.count("."))
    )


def _unit(value: Any) -> str | None:
    if isinstance(value, str):
        if _RFC3339.match(value):
            return "rfc3339" if re.search(r"(Z|[+-]\d\d:?\d\d)$", value) else "iso"
        if not value.isdigit():
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return next((unit for low, high, unit in _UNITS if low <= value < high), None)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _written(seen: dict[str, list[Any]], records: int, unwrap: str | None) -> Iterator[str]:
    yield f"# Suggested by {records:,} records. Check every line; what is marked with ? was guessed.\n"
    yield "name: my-source\ntopic: my-topic\nformat: json\n"
    yield "fields:\n" if unwrap is None else f"unwrap: {_quoted(unwrap)}\nfields:\n"
    found = {field: paths[0] for field in _NAMES if (paths := _candidates(field, seen))}
    if "event_id" in found:
        yield f"  event_id: {{path: {_quoted(found['event_id'])}}}\n"
    at = found.get("occurred_at")
    unit = None if at is None else _unit(seen[at][0])
    yield f"  occurred_at: {{path: {_quoted(at or '?')}, unit: {unit or 'rfc3339'}}}\n"
    yield f"  env: {{const: prod}}\n  auth_method: {_method(seen)}\n"
    for field in ("step", "outcome"):
        yield from _tabled(field, found.get(field, found.get("step")), seen)
    for field in ("csp", "client_id", "error_code", "flow_id", "user_hash", "duration_ms"):
        if field in found and found[field] not in (found.get("step"), found.get("outcome"), at):
            hashed = f", hash: {_HASHED[field]}" if field in _HASHED else ""
            yield f"  {field}: {{path: {_quoted(found[field])}{hashed}}}\n"
    if not found.keys() & _HASHED.keys():
        yield "  # user_hash: {path: ?, hash: person}  # ? without it, or flow_id, nothing opens an incident\n"


def _method(seen: dict[str, list[Any]]) -> str:
    """Return where the method comes from: a field that has nothing but methods, or else a guess."""
    for path, values in seen.items():
        if {str(value).lower() for value in values} <= _METHODS:
            return f"{{path: {_quoted(path)}}}"
    return "{const: sis}  # ? or ssoe"


def _tabled(field: str, path: str | None, seen: dict[str, list[Any]]) -> Iterator[str]:
    if path is None:
        yield f"  {field}: {{const: {'callback' if field == 'step' else 'success'}}}  # ? no field looks like it\n"
        return
    yield f"  {field}:\n    path: {_quoted(path)}\n    table:\n"
    for value, count in Counter(map(str, seen[path])).most_common(_MOST_VALUES):
        if _WORDS.fullmatch(value) or value.isdigit():
            yield f"      {_quoted(value)}: {_guess(field, value.lower())}  # ? {count:,} records\n"


def _guess(field: str, value: str) -> str:
    if field == "outcome":
        if re.search(r"err|fail|denied|false|invalid", value):
            return "failure"
        return "started" if re.search(r"start|begin|authorize$|new$", value) else "success"
    for word, step in (
        ("refresh", "refresh"),
        ("revoke", "revoke"),
        ("logout|signout|end", "logout"),
        ("token|grant", "token"),
        ("authorize|start", "authorize"),
    ):
        if re.search(word, value):
            return step
    return "callback"
