"""How does a record in Avro become values, by the schema with which it was written?

A schema is checked before it is used, so that no record of few bytes can make objects without end: a schema that
holds itself, and arrays of what takes no bytes, are refused. Logical types are left as they are written: a time is a
number. Bytes are text where they are UTF-8, and else no value; so a value is one that JSON has too, or a float.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

__all__ = ["UnusableSchema", "avro_decoder"]

#: Bytes that a value takes at the least.
_LEAST = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
_DEEPEST = 32
#: Objects that take no bytes: in a record, and in each element of an array or a map.
_MOST_FREE, _MOST_FREE_EACH = 1_000, 16


class UnusableSchema(ValueError):
    """A schema by which nothing can be read; the message says why and quotes no record."""


class _Cost(NamedTuple):
    """What a value of a type costs.

    Attributes:
        least: bytes that it takes at the least.
        free: objects that it may hold which take no bytes, those in elements of arrays and maps apart.
    """

    least: int
    free: int


def avro_decoder(text: str, others: Sequence[str] = ()) -> Callable[[bytes], Any]:
    """Return how bytes become a value, by an Avro schema; the function raises ValueError for other bytes.

    Args:
        text: of the schema, JSON.
        others: the texts of schemas whose types it names, each behind those that it names itself.

    Raises:
        UnusableSchema: it is no schema of Avro, or one that is refused.
    """
    from fastavro import parse_schema, schemaless_reader  # only deployments that read Avro need it

    check = _Check()
    schema: Any = None
    named: dict[str, Any] = {}
    for one in (*others, text):
        checked, cost = check.of(_tree(one), "", 0)
        if cost.free > _MOST_FREE:
            raise UnusableSchema(f"the schema has more than {_MOST_FREE:,} objects that take no bytes")
        try:
            schema = parse_schema(checked, named_schemas=named)
        except Exception as error:  # a schema from outside: fastavro names no common base of what it raises
            raise UnusableSchema(f"no schema of Avro: {type(error).__name__}") from None

    def decoded(value: bytes) -> Any:
        stream = io.BytesIO(value)
        try:
            read: Any = schemaless_reader(stream, schema, None)
        except Exception:  # bytes from outside: IndexError, EOFError and others
            raise ValueError("the record is not as its schema says") from None
        if stream.tell() != len(value):
            raise ValueError("the record is longer than its schema says")
        return _texts(read) if check.binary else read

    return decoded


def _tree(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text.strip()  # the name of a primitive type may stand without quotes


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, dict):
        return {key: _texts(one) for key, one in value.items()}
    return [_texts(one) for one in value] if isinstance(value, list) else value


class _Check:
    """Looks through a schema once, and returns it without logical types.

    Attributes:
        binary: whether it has bytes.
    """

    def __init__(self) -> None:
        self.binary = False
        self._named: dict[str, _Cost | None] = {}  # None while the type is being looked through

    def of(self, node: Any, space: str, depth: int) -> tuple[Any, _Cost]:
        """Return a type and what it costs; ``space`` is the namespace, ``depth`` how many types it stands in.

        Raises:
            UnusableSchema: it is refused.
        """
        if depth > _DEEPEST:
            raise UnusableSchema(f"the schema is nested more than {_DEEPEST} deep")
        if isinstance(node, str):
            return node, self._known(node, space)
        if isinstance(node, list) and node:
            branches = [self.of(one, space, depth + 1) for one in node]
            costs = [cost for _, cost in branches]
            least, free = min(one.least for one in costs), max(one.free for one in costs)
            return [one for one, _ in branches], _Cost(1 + least, max(0, free - 1))
        if not isinstance(node, dict) or "type" not in node:
            raise UnusableSchema("no schema of Avro: a type is missing")
        return self._complex(node, space, depth)

    def _complex(self, node: dict[str, Any], space: str, depth: int) -> tuple[Any, _Cost]:
        kind = node["type"]
        plain = {
            key: value for key, value in node.items() if key not in ("logicalType", "scale", "precision")
        }
        if kind in ("array", "map"):
            part = "items" if kind == "array" else "values"
            held, cost = self.of(node.get(part), space, depth + 1)
            if (kind == "array" and not cost.least) or cost.free > _MOST_FREE_EACH:
                raise UnusableSchema("the schema has arrays of elements that take no bytes, or too few")
            return {**plain, part: held}, _Cost(1, 0)
        if kind in ("record", "error", "enum", "fixed"):
            return self._of_name(plain, kind, space, depth)
        if isinstance(kind, str):
            return {**plain, "type": kind}, self._known(kind, space)
        return self.of(kind, space, depth + 1)

    def _of_name(self, node: dict[str, Any], kind: str, space: str, depth: int) -> tuple[Any, _Cost]:
        self.binary |= kind == "fixed"
        name = _full(str(node.get("name")), str(node.get("namespace") or space))
        self._named[name] = None
        if kind == "enum":
            cost = _Cost(1, 0)
        elif kind == "fixed":
            size = node.get("size")
            if not isinstance(size, int) or size < 0:
                raise UnusableSchema("no schema of Avro: a fixed type has no size")
            cost = _Cost(size, 0 if size else 1)
        else:
            node, cost = self._fields(node, name.rpartition(".")[0], depth)
        self._named[name] = cost
        return node, cost

    def _fields(self, node: dict[str, Any], space: str, depth: int) -> tuple[Any, _Cost]:
        fields, least, free = node.get("fields"), 0, 1
        if not isinstance(fields, list):
            raise UnusableSchema("no schema of Avro: a record has no fields")
        checked = []
        for field in fields:
            if not isinstance(field, dict) or "type" not in field:
                raise UnusableSchema("no schema of Avro: a field has no type")
            held, cost = self.of(field["type"], space, depth + 1)
            checked.append({**field, "type": held})
            least, free = least + cost.least, min(free + cost.free, 1 << 40)
        return {**node, "fields": checked}, _Cost(least, free)

    def _known(self, name: str, space: str) -> _Cost:
        if name in _LEAST:
            self.binary |= name == "bytes"
            return _Cost(_LEAST[name], 1 if name == "null" else 0)
        full = _full(name, space)
        full = full if full in self._named else name
        if full not in self._named:
            raise UnusableSchema("no schema of Avro: it names a type that it does not define")
        cost = self._named[full]
        if cost is None:
            raise UnusableSchema("the schema holds itself, which is not supported")
        return cost


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"
