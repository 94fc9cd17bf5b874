"""What does a policy's text say: which plain values, and at which position does each stand?

The reader accepts only the parts of YAML that a policy needs, by the rules of YAML 1.2's core schema: ``001`` is
an error code and not a number, ``1:30`` is no number of seconds, ``no`` is a word, and an instant is text. The
reader makes no objects from tags. It refuses a document that is huge, or whose aliases expand too far.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from detectors.errors import WatchofficerError

__all__ = [
    "MAX_BYTES",
    "Path",
    "PolicyError",
    "PolicyProblem",
    "Position",
    "Refusal",
    "Source",
    "format_path",
    "merge",
    "quote",
    "read_source",
]

#: Keys and list positions from the document down to a value.
Path = tuple[str | int, ...]

#: Bytes of a document. The shipped policy has 15 KB; one with a few hundred maintenance windows has 100 KB.
MAX_BYTES = 256 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Values of a document with its aliases expanded.
MAX_VALUES = 20_000
#: Levels of nesting; the models have five.
MAX_DEPTH = 32


#: The id of a reason to refuse a policy; "invalid" is for all reasons without an id of their own. Lint reports it.
Refusal = Literal["unknown-name", "listed-twice", "window-off-step", "recovery-beyond-trigger", "invalid"]


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in the text, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class PolicyProblem:
    """One error in a policy: its position, what to do about it, and the id of the refusal."""

    file: str
    line: int
    column: int
    path: str
    message: str
    refusal: Refusal = "invalid"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class PolicyError(WatchofficerError, ValueError):
    """A policy cannot be used. The error carries every problem that was found, in the order of the text."""

    def __init__(self, errors: tuple[PolicyProblem, ...]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


@dataclass(frozen=True)
class Source:
    """The content of a document.

    Attributes:
        name: of the file, for messages.
        values: plain mappings, lists and scalars; keys are always text.
        positions: path -> where the value begins (for an entry of a mapping: where its key does).
        problems: what kept single values from being read (they stand in ``values`` as None).
    """

    name: str
    values: Any
    positions: dict[Path, Position]
    problems: tuple[PolicyProblem, ...] = ()

    def problem(self, path: Path, message: str, refusal: Refusal = "invalid") -> PolicyProblem:
        """Build a problem at ``path``, with the position of the longest part of ``path`` that the document states."""
        stated = path
        while stated and stated not in self.positions:
            stated = stated[:-1]
        position = self.positions.get(stated, Position(1, 1))
        place = (self.name, position.line, position.column, format_path(path))
        return PolicyProblem(*place, message, refusal)


def format_path(path: Path) -> str:
    """``outage.rules[2].window``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = _shorten(part)
            text += f".{word}" if text else word
    return text


def quote(value: object) -> str:
    """A value as a message shows it: on one line, and not longer than a message should be."""
    return _shorten(repr(value) if isinstance(value, str) else str(value))


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def merge(base: Any, over: Any) -> Any:
    """``over`` completed from ``base``: mappings key by key, while a list or a scalar stands for itself.

    A key without a value (a section whose lines are all commented out) counts as left out.
    """
    if not isinstance(base, dict) or not isinstance(over, dict):
        return base if over is None else over
    return {key: merge(base.get(key), over.get(key)) for key in {**base, **over}}


class _Loader(yaml.SafeLoader):
    """Composes nodes only. Scalars that are not quoted are told apart by the core schema of YAML 1.2."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the class attribute that PyYAML looks up

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_STR = "tag:yaml.org,2002:str"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

_SCHEMA = (
    (_NULL, re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    (_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    # "_" between digits is ours (1_000_000); a leading zero makes it text: error codes have one.
    (_INT, re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", re.ASCII), list("-+0123456789")),
    (
        _FLOAT,
        re.compile(
            r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[1-9][0-9]*[eE][-+]?[0-9]+)",
            re.ASCII,
        ),
        list("-+.0123456789"),
    ),
)
for _tag, _form, _first in _SCHEMA:
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_form.pattern})\\Z", _form.flags), _first)


def read_source(text: str | bytes, name: str) -> Source:
    """Read a document.

    Raises:
        PolicyError: it is no YAML, or too large.
    """
    if isinstance(text, bytes):
        raw = text
        if len(raw.removeprefix(_BYTE_ORDER_MARK)) > MAX_BYTES:
            raise _too_large(name)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise PolicyError((PolicyProblem(name, line, 1, "", "is not UTF-8"),)) from None
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _too_large(name)
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise PolicyError((_syntax(error, text, name),)) from None
    reader = _Reader(name)
    values = {} if root is None else reader.plain(root, (), 0)
    return Source(name, values, reader.positions, tuple(reader.problems))


def _too_large(name: str) -> PolicyError:
    says = f"is larger than {MAX_BYTES // 1024} KiB, the most a policy may have"
    return PolicyError((PolicyProblem(name, 1, 1, "", says),))


def _syntax(error: yaml.YAMLError, text: str, name: str) -> PolicyProblem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        if mark is not None:
            return PolicyProblem(name, mark.line + 1, mark.column + 1, "", f"is not YAML: {said}")
        return PolicyProblem(name, 1, 1, "", f"is not YAML: {said}")
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        character = error.character if isinstance(error.character, int) else ord(error.character[:1])
        return PolicyProblem(name, line, column, "", f"holds the control character #x{character:02x}")
    return PolicyProblem(name, 1, 1, "", f"is not YAML: {error}")


class _Reader:
    """Turns nodes into plain values, noting positions and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.positions: dict[Path, Position] = {}
        self.problems: list[PolicyProblem] = []
        self._values = 0

    def plain(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            # An alias may point at what it stands in, or multiply what multiplies: so there is a limit here.
            why = f"{MAX_VALUES} values" if self._values > MAX_VALUES else f"{MAX_DEPTH} levels"
            raise PolicyError(
                (self._at(node, path[:3], f"has more than {why} once its aliases are expanded"),)
            )
        self.positions.setdefault(path, _position(node))
        if isinstance(node, yaml.MappingNode) and node.tag in _COLLECTIONS:
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag in _COLLECTIONS:
            return [self.plain(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self.problems.append(self._at(node, path, f"the tag {node.tag} is not allowed"))
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first: dict[str, Position] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(
                    self._at(key_node, path, "a key must be a word, not a list or a mapping")
                )
                continue
            key, position = key_node.value, _position(key_node)
            below = (*path, key)
            if key in first:
                repeated = f"stands twice; the first is in line {first[key].line}"
                self.problems.append(self._at(key_node, below, repeated, "listed-twice"))
                continue
            first[key] = position
            self.positions[below] = position
            values[key] = self.plain(value_node, below, depth + 1)
        return values

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        tag, text = node.tag, node.value
        try:
            if tag == _STR:
                return text
            if tag == _NULL:
                return None
            if tag == _BOOL:
                return {"true": True, "false": False}[text.lower()]
            if tag == _INT:
                return int(text)
            if tag == _FLOAT:
                return float(text)
        except (ValueError, KeyError):
            self.problems.append(self._at(node, path, f"{quote(text)} is not what its tag {tag} says"))
            return None
        self.problems.append(self._at(node, path, f"the tag {tag} is not allowed"))
        return None

    def _at(self, node: yaml.Node, path: Path, message: str, refusal: Refusal = "invalid") -> PolicyProblem:
        position = _position(node)
        place = (self.name, position.line, position.column, format_path(path))
        return PolicyProblem(*place, message, refusal)


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
