"""Does a record meet a condition? Compiled once; the common forms need not the library of expressions.

Common forms are ``has(a.b)``, ``a.b == 'x'``, ``a.b != 'x'``, ``a in ['x', 'y']``, ``'x' in a`` of a list,
``a.startsWith('x')``, ``a.endsWith('x')``, ``a.contains('x')``, and these under ``!``, ``&&``, ``||`` and parentheses.
Everything else is an expression of JMESPath, which is met by what is neither null, false nor empty. What does not exist
is null.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from streams.mappings.paths import PATH, Getter, expression, getter

__all__ = ["Condition", "condition"]

Condition = Callable[[dict[str, Any]], bool]

_NOTHING: tuple[Any, ...] = (None, False, "", [], {})
_QUOTED = re.compile(r"('[^'\\]*'|\"[^\"\\]*\")")
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}


def condition(text: str) -> Condition:
    """Compile a condition.

    Raises:
        ValueError: it is no expression.
    """
    try:
        tree = ast.parse(_as_python(text.strip()), mode="eval")
        return _compiled(tree.body)
    except (SyntaxError, ValueError, RecursionError, _Uncommon):
        slow = expression(text)
        return lambda record: slow(record) not in _NOTHING


class _Uncommon(Exception):
    """A form that the library of expressions evaluates."""


def _as_python(text: str) -> str:
    """Spell the operators of an expression, outside quotes, as Python does."""
    parts = _QUOTED.split(text)
    for n in range(0, len(parts), 2):
        spelt = parts[n].replace("&&", " and ").replace("||", " or ")
        parts[n] = re.sub(r"!(?!=)", " not ", spelt)
    return "".join(parts).strip()


def _compiled(node: ast.expr) -> Condition:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            every = [_compiled(value) for value in values]
            if len(every) == 2:
                left, right = every
                return lambda record: left(record) and right(record)
            return lambda record: all(one(record) for one in every)
        case ast.BoolOp(op=ast.Or(), values=values):
            some = [_compiled(value) for value in values]
            if len(some) == 2:
                one, other = some
                return lambda record: one(record) or other(record)
            return lambda record: any(one(record) for one in some)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            negated = _compiled(operand)
            return lambda record: not negated(record)
        case ast.Compare(left=ast.Constant(value=str(wanted)), ops=[ast.In()], comparators=[of]):
            held = _getter(of)

            def holds(record: dict[str, Any]) -> bool:
                values = held(record)
                return isinstance(values, list) and wanted in values

            return holds
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(_getter(left), op, right)
        case ast.Call(func=ast.Name(id="has"), args=[path], keywords=[]):
            asked = _getter(path)
            return lambda record: asked(record) is not None
        case ast.Call(
            func=ast.Attribute(value=of, attr=name), args=[ast.Constant(value=str(part))], keywords=[]
        ):
            return _called(_getter(of), name, part)
    raise _Uncommon


def _getter(node: ast.expr) -> Getter:
    path = ast.unparse(node)
    if not isinstance(node, ast.Name | ast.Attribute) or not PATH.fullmatch(path):
        raise _Uncommon
    return getter(path)


def _compared(get: Getter, op: ast.cmpop, right: ast.expr) -> Condition:
    match op, right:
        case ((ast.Eq() | ast.NotEq()), ast.Constant(value=str(wanted))):
            same = isinstance(op, ast.Eq)
            return lambda record: (get(record) == wanted) is same
        case ast.In(), ast.List(elts=elements) if all(isinstance(one, ast.Constant) for one in elements):
            known = frozenset(one.value for one in elements if isinstance(one, ast.Constant))
            if not all(isinstance(value, str) for value in known):
                raise _Uncommon

            def listed(record: dict[str, Any]) -> bool:
                value = get(record)
                return isinstance(value, str) and value in known

            return listed
    raise _Uncommon


def _called(get: Getter, name: str, part: str) -> Condition:
    method = _METHODS.get(name)
    if method is None:
        raise _Uncommon

    def holds(record: dict[str, Any]) -> bool:
        value = get(record)
        return isinstance(value, str) and method(value, part)

    return holds
