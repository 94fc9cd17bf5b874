"""What does a Ruby value say that was written by ``inspect``, as Rails logs its context?

The spelling of hashes changed with Ruby 3.4: ``{:a=>1, "b"=>nil}`` before, ``{a: 1, "b" => nil}`` since.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["read_ruby"]

_DEPTH = 16
_SPACE = re.compile(r"\s*")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SYMBOL = re.compile(r':(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_]\w*[?!]?))')
_KEY = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_]\w*[?!]?)):(?!:)')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_WORD = re.compile(r"nil|true|false|#<[^<>]*>|[A-Z][\w:]*")
_ESCAPED = re.compile(r"\\(u\{?([0-9a-fA-F]{4,6})\}?|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "0": "\0"}
_WORDS = {"nil": None, "true": True, "false": False}


def read_ruby(text: str) -> Any:
    """Return the value: dict, list, str, int, float, bool or None; an object without a spelling of its own is its text.

    Raises:
        ValueError: it is no such value, or nests too deep.
    """
    value, end = _value(text, _skip(text, 0), 0)
    if _skip(text, end) != len(text):
        raise ValueError("something follows the value")
    return value


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found[2]:
            code = int(found[2], 16)
            return (
                chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\N{REPLACEMENT CHARACTER}"
            )
        return _ESCAPES.get(found[1], found[1])

    return _ESCAPED.sub(one, text) if "\\" in text else text


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise ValueError("it nests too deep")
    first = text[at : at + 1]
    if first == "{":
        return _hash(text, at + 1, depth)
    if first == "[":
        return _array(text, at + 1, depth)
    if first == '"' and (found := _STRING.match(text, at)):
        return _unescaped(found[1]), found.end()
    if first == ":" and (found := _SYMBOL.match(text, at)):
        return _unescaped(found[1]) if found[1] is not None else found[2], found.end()
    if found := _NUMBER.match(text, at):
        number = found[0]
        return (float(number) if any(c in number for c in ".e") else int(number)), found.end()
    if found := _WORD.match(text, at):
        return _WORDS.get(found[0], found[0]), found.end()
    raise ValueError(f"no value at character {at}")


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    out: list[Any] = []
    at = _skip(text, at)
    while text[at : at + 1] != "]":
        value, at = _value(text, at, depth + 1)
        out.append(value)
        at = _after(text, at, "]")
    return out, at + 1


def _hash(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    out: dict[str, Any] = {}
    at = _skip(text, at)
    while text[at : at + 1] != "}":
        key: Any
        if found := _KEY.match(text, at):
            key, at = (_unescaped(found[1]) if found[1] is not None else found[2]), found.end()
        else:
            key, at = _value(text, at, depth + 1)
            at = _skip(text, at)
            if text[at : at + 2] != "=>":
                raise ValueError(f"no => at character {at}")
            at += 2
        value, at = _value(text, _skip(text, at), depth + 1)
        out[str(key)] = value
        at = _after(text, at, "}")
    return out, at + 1


def _after(text: str, at: int, closing: str) -> int:
    """Return where the next element, or the closing bracket, begins."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] != closing:
        raise ValueError(f"neither a comma nor {closing} at character {at}")
    return at
