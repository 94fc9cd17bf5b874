"""Where in a record does a value stand? Paths, compiled once.

A path is ``details.code_id`` or ``target[0].id``; each name is a key, also of a flat record (``event.outcome``).
Whatever is no such path is an expression of JMESPath. What does not exist is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jmespath
import jmespath.exceptions

from streams.mappings.formats import Unreadable

__all__ = ["PATH", "Getter", "expand", "expression", "getter"]

Getter = Callable[[dict[str, Any]], Any]

_NAME = r"[A-Za-z_@$][A-Za-z0-9_@$-]*"
#: What is a path, and not an expression.
PATH = re.compile(rf"{_NAME}(?:\[\d+\])*(?:\.{_NAME}(?:\[\d+\])*)*")
_STEP = re.compile(rf"({_NAME})|\[(\d+)\]")
_MOST = 10_000  # elements of arrays that become records


def getter(path: str) -> Getter:
    """Compile a path or an expression.

    Raises:
        ValueError: it is neither.
    """
    path = path.strip()
    if path == "$":
        return lambda record: record
    if not PATH.fullmatch(path):
        return expression(path)
    steps: list[str | int] = [name or int(index) for name, index in _STEP.findall(path)]
    if len(steps) == 1:
        key = str(steps[0])
        return lambda record: record.get(key)
    if all(isinstance(step, str) for step in steps):
        names = [str(step) for step in steps]
        if len(names) == 2:
            return _pair(names[0], names[1], path)
        return lambda record: _nested(record, names, path)
    return lambda record: _walked(record, steps)


def _pair(first: str, second: str, path: str) -> Getter:
    """Return the getter of a path of two names, by far the most frequent one."""

    def get(record: dict[str, Any]) -> Any:
        held = record.get(first)
        if held.__class__ is dict and second in held:
            return held[second]
        return record.get(path)

    return get


def _nested(record: dict[str, Any], names: list[str], path: str) -> Any:
    value: Any = record
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return record.get(path)  # a flat record has the whole path as a key
        value = value[name]
    return value


def _walked(record: dict[str, Any], steps: list[str | int]) -> Any:
    value: Any = record
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def expression(text: str) -> Getter:
    """Compile an expression of JMESPath.

    Raises:
        ValueError: it is none.
    """
    try:
        compiled = jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"no path and no expression: {str(error).splitlines()[0][:200]}") from None

    def evaluated(record: dict[str, Any]) -> Any:
        try:
            return compiled.search(record)
        except jmespath.exceptions.JMESPathError:  # a function was given a value of another kind
            return None

    return evaluated


def expand(value: Any, path: str) -> list[Any]:
    """Return what stands at a path, in which ``[]`` means each element; an array at its end yields its elements.

    Raises:
        Unreadable: there are more than ``_MOST``.
    """
    found = [value]
    for name in path.split("."):
        key = name.removesuffix("[]")
        nested = [one if key == "$" else one.get(key) for one in found if isinstance(one, dict) or key == "$"]
        found = []
        for one in nested:
            found += one if isinstance(one, list) else [] if one is None else [one]
        if len(found) > _MOST:
            raise Unreadable(f"more than {_MOST:,} events in one record")
    return found
