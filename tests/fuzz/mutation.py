"""How are recorded bytes changed? By bits, by bytes, and by what they mean: JSON, MessagePack, YAML, forms.

All that is drawn comes from one ``random.Random``, so that a seed gives the same mutants everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec
import zstandard

__all__ = ["Form", "Mutator", "drawn"]

#: What a value is made of, so that a mutant can be one of it too. ``packed`` has a byte before its MessagePack.
Form = Literal["json", "msgpack", "packed", "text", "form"]

_MOST_BYTES = 80_000
_NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 255, 2**31, -(2**31), 2**53 + 1, 2**62, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.5, -0.0, 1e-320, 1e308, -1e308, 1e18),
)
_TEXTS: tuple[str, ...] = (
    *("", " ", "\x00", "a" * 300, "a" * 5_000, "é" * 64, "\U0001f600", "\u202e", "\ud800", "\udfff\ud800"),
    *("prod", "staging", "prod/ssoe", "prod/*/idme", "prod-1", "prod-999999999999999999", "*", "/", "//"),
    *("2026-11-23T15:05:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2026-02-30T00:00:00Z"),
    *("1e999", "NaN", "-1", "null", "true", "<script>", "{{7*7}}", "%s%n", "../../etc/passwd", "a\r\nb: c"),
    *("5m", "-5m", "99999999999999999999h", "FREQ=SECONDLY", "FREQ=YEARLY;COUNT=999999999", "open", "closed"),
    *("https://example.test/" + "x" * 600, "javascript:alert(1)", "id" + "9" * 40, "1" * 400),
)
#: Tokens that stand in JSON where a value may stand; most of them are no JSON.
_TOKENS = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-0",
        "0" * 20,
        "1" * 400,
        "9" * 5_000,
        "1.",
        ".5",
        "+1",
        "0x1",
    ),
    *(r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"\x01"', "'a'", "undefined", "[,]", "{]", '"', "\ufeff"),
    *("[" * 40 + "]" * 40, "[" * 3_000 + "]" * 3_000, '{"a":' * 1_500 + "1" + "}" * 1_500, "-", "--1"),
)
_BYTES = (
    b"\x00",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xf5\x80\x80\x80",
    b"\r\n",
    b'"',
    b"{",
)
#: Heads of MessagePack that announce more than follows.
_HEADS = (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff")
_HEADS_SHORT = (b"\x91" * 2_000, b"\x81\xa1a" * 1_500, b"\xc1", b"\xd4\x00\x00", b"\xcb\x7f\xf8" + bytes(6))
_SCALAR = re.compile(r"(?<=[:\s\[,])[\w.%*/-]+")
_COMPRESSED = b"\xc1"


class _Token(str):
    """Text that stands in JSON as it is."""


class Mutator:
    """Makes mutants.

    Args:
        random: all chance.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def mutate(self, value: bytes, other: bytes, form: Form) -> bytes:
        """A mutant of a value; parts of ``other``, a value of the same kind, may come into it."""
        random = self._random
        if random.random() < 0.02:
            return value
        if random.random() < 0.6:
            try:
                return self._by_meaning(value, other, form)[:_MOST_BYTES]
            except (ValueError, TypeError, RecursionError, OverflowError, zstandard.ZstdError):
                pass  # it is none of its form: a mutant of a mutant
        changed = self._by_bytes(value, other)
        while random.random() < 0.3:
            changed = self._by_bytes(changed, other)
        return changed[:_MOST_BYTES]

    # -- by meaning -------------------------------------------------------------------------------------------

    def _by_meaning(self, value: bytes, other: bytes, form: Form) -> bytes:
        if form == "json":
            return self._written(self._changed(json.loads(value), json.loads(other)))
        if form == "form":
            fields = dict(parse_qsl(value.decode()))
            return self._form(fields, dict(parse_qsl(other.decode())))
        if form == "text":
            return self._text(value.decode(), other.decode())
        head, body = self._unpacked(value, form)
        _, of_other = self._unpacked(other, form)
        tree = self._changed(msgspec.msgpack.decode(body, strict=False), msgspec.msgpack.decode(of_other))
        packed = head[1:] + msgspec.msgpack.encode(self._packable(tree))
        if head[:1] == _COMPRESSED:
            return _COMPRESSED + zstandard.ZstdCompressor().compress(packed)
        return packed

    def _unpacked(self, value: bytes, form: Form) -> tuple[bytes, bytes]:
        """How it was packed, the bytes before its MessagePack, and that."""
        if form == "packed":
            return b" " + value[:1], value[1:]
        if value[:1] == _COMPRESSED:
            return _COMPRESSED, zstandard.ZstdDecompressor().decompress(value[1:], max_output_size=1 << 24)
        return b" ", value

    def _changed(self, tree: Any, other: Any) -> Any:
        """A tree with one to three of its places changed."""
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            tree = self._at_a_place(tree, other)
        return tree

    def _at_a_place(self, tree: Any, other: Any) -> Any:
        """Go down, and change what is there."""
        random = self._random
        if isinstance(tree, dict) and tree and random.random() < 0.92:
            key = random.choice(list(tree))
            if random.random() < 0.75:
                return tree | {key: self._at_a_place(tree[key], other)}
            return self._keys(tree, key, other)
        if isinstance(tree, list) and tree and random.random() < 0.85:
            place = random.randrange(len(tree))
            return [*tree[:place], self._at_a_place(tree[place], other), *tree[place + 1 :]]
        return self._another(tree, other)

    def _keys(self, tree: dict[Any, Any], key: Any, other: Any) -> dict[Any, Any]:
        random = self._random
        rest = {name: value for name, value in tree.items() if name != key}
        match random.randrange(4):
            case 0:
                return rest
            case 1:
                return rest | {random.choice(_TEXTS): tree[key]}
            case 2:
                return tree | {random.choice(list(tree)): tree[key]}
            case _:
                return tree | (self._part(other) if isinstance(self._part(other), dict) else {key: other})

    def _another(self, leaf: Any, other: Any) -> Any:
        """Another value in the place of one: near it, of its type, or of any."""
        random = self._random
        near = random.random() < 0.4
        if near and isinstance(leaf, bool):
            return not leaf
        if near and isinstance(leaf, int):
            return leaf + random.choice((1, -1, 1_000, -1_000, 60_000, -3_600_000, leaf, -2 * leaf))
        if near and isinstance(leaf, float):
            return leaf * random.choice((-1, 0, 10, 1e9, 1e-9))
        if near and isinstance(leaf, str):
            return self._near_text(leaf)
        if near and isinstance(leaf, list):
            return random.choice(([], leaf * 2, leaf[::-1], leaf[1:], [*leaf, self._part(other)]))
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: random.choice(_NUMBERS),
            lambda: random.choice(_TEXTS),
            lambda: random.choice((None, True, False)),
            lambda: random.choice(([], {}, [None], [[]], {"": None}, [leaf], {"a": leaf})),
            lambda: _Token(random.choice(_TOKENS)),
            lambda: self._part(other),
            lambda: random.choice((float("nan"), float("inf"), float("-inf"))),
        )
        return random.choice(kinds)()

    def _near_text(self, text: str) -> str:
        random = self._random
        at = random.randrange(len(text) + 1)
        drawn = random.choice((chr(random.randrange(32, 127)), random.choice(_TEXTS), "\x00", "-", "0", "/"))
        return random.choice(
            (
                text[:at] + drawn + text[at:],
                text[:at],
                text[at:],
                text + text,
                text.upper(),
                text[:at] + text[at + 1 :],
            )
        )

    def _part(self, tree: Any) -> Any:
        """Some part of a tree."""
        while isinstance(tree, dict | list) and tree and self._random.random() < 0.8:
            tree = self._random.choice(list(tree.values()) if isinstance(tree, dict) else tree)
        return tree

    # -- how it is written --------------------------------------------------------------------------------------

    def _written(self, tree: Any) -> bytes:
        """Return a tree as JSON: tokens stand as they are, and sometimes a key stands twice, or white space between."""
        random = self._random
        ascii_only = random.random() < 0.5
        text = json.dumps(_marked(tree), ensure_ascii=ascii_only, indent=random.choice((None, None, None, 1)))
        text = re.sub(r'"\\u0000token:([0-9]+)"', lambda found: _TOKENS[int(found[1])], text)
        text = re.sub('"\x00token:([0-9]+)"', lambda found: _TOKENS[int(found[1])], text)
        if random.random() < 0.05 and text.startswith("{"):
            text = '{"env":1,"id":[],' + text[1:]
        return text.encode("utf-8", "surrogatepass")

    def _packable(self, tree: Any) -> Any:
        """Return a tree that MessagePack can hold: integers have at most 64 bits, and text is UTF-8."""
        if isinstance(tree, dict):
            return {self._packable(key): self._packable(value) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self._packable(one) for one in tree]
        if isinstance(tree, int) and not -(2**63) <= tree < 2**64:
            return 2**64 - 1
        if isinstance(tree, str):
            return str(tree).encode("utf-8", "replace").decode()
        return tree

    def _form(self, fields: dict[str, str], other: dict[str, str]) -> bytes:
        random = self._random
        name = random.choice(list(fields or {"payload": ""}))
        if name == "payload" and name in fields and random.random() < 0.9:
            changed = self._changed(json.loads(fields[name]), json.loads(other.get(name, "{}")))
            text = self._written(changed).decode("utf-8", "replace")
            return urlencode(fields | {name: text}).encode()
        changed_fields = self._changed(fields, other)
        if not isinstance(changed_fields, dict):
            return str(changed_fields).encode("utf-8", "replace")
        texts = {str(k): str(v).encode("utf-8", "replace").decode() for k, v in changed_fields.items()}
        return urlencode({k.encode("utf-8", "replace"): v for k, v in texts.items()}).encode()

    def _text(self, text: str, other: str) -> bytes:
        """Return a text (a policy, a mapping, a log) of which some lines or words were changed."""
        random = self._random
        lines, others = text.split("\n"), other.split("\n")
        at = random.randrange(len(lines))
        line = lines[at]
        words = list(_SCALAR.finditer(line))
        match random.randrange(7):
            case 0:
                lines[at : at + random.choice((1, 1, 3))] = []
            case 1:
                lines.insert(at, random.choice((line, random.choice(others))))
            case 2:
                lines[at] = random.choice(
                    ("  " + line, line.removeprefix(" "), "\t" + line, "- " + line, line + ":")
                )
            case 3:
                block = random.randrange(1, 8)
                lines[at:at] = lines[at : at + block]
            case _ if words:
                word = random.choice(words)
                fill = random.choice(
                    (
                        random.choice(_TEXTS),
                        str(random.choice(_NUMBERS)),
                        random.choice(_TOKENS[:12]),
                        self._near_text(word[0]),
                        random.choice(_SCALAR.findall(random.choice(others)) or ["~"]),
                        random.choice(
                            ("&a [*a]", "*a", "!!python/object:os.system {}", "{}", "[]", "|", "~")
                        ),
                    )
                )
                lines[at] = line[: word.start()] + fill + line[word.end() :]
            case _:
                lines[at] = random.choice(_TEXTS)
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    # -- by bytes -----------------------------------------------------------------------------------------------

    def _by_bytes(self, value: bytes, other: bytes) -> bytes:
        random = self._random
        if not value:
            return random.choice(_BYTES)
        at = random.randrange(len(value))
        to = min(len(value), at + random.choice((1, 1, 2, 4, 16, 256)))
        match random.randrange(9):
            case 0:
                return value[:at] + bytes((value[at] ^ 1 << random.randrange(8),)) + value[at + 1 :]
            case 1:
                return value[:at] + bytes((random.randrange(256),)) + value[at + 1 :]
            case 2:
                return value[:at]
            case 3:
                return value[:at] + value[to:]
            case 4:
                return value[:to] + value[at:]
            case 5:
                return value[:at] + random.choice(_BYTES) + value[at:]
            case 6:
                return value[:at] + random.choice((*_HEADS, *_HEADS_SHORT)) + value[to:]
            case 7:
                cut = random.randrange(len(other) + 1)
                return value[:at] + other[cut:]
            case _:
                return value[:at] + bytes((value[at] + random.choice((1, 255)) & 255,)) + value[at + 1 :]


def _marked(tree: Any) -> Any:
    """The tree with texts in the place of tokens that ``json.dumps`` can write."""
    if isinstance(tree, _Token):
        return f"\x00token:{_TOKENS.index(tree)}"
    if isinstance(tree, dict):
        return {str(key): _marked(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_marked(one) for one in tree]
    return tree


def drawn(random: Random, some: Sequence[bytes]) -> bytes:
    """One of several values, the shorter ones a little more often."""
    return min(random.choice(some), random.choice(some), key=len)
