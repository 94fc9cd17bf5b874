"""How does a record of `watch-state` say how far evaluation is, and of what a process says that the watch is blind?

Both stand in headers, so that nobody has to decode a state for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

__all__ = [
    "Spoken",
    "evaluated_to_in",
    "progress_headers",
    "spoken_headers",
    "spoken_in",
    "spoken_key",
    "together_in",
]

#: The header that says up to which T (ms) the environment is evaluated. A build that does not know it passes it by.
_EVALUATED_TO = "evaluated_to"
#: The header with the environments that are evaluated on the partition: another one that stands there is given up.
_TOGETHER = "envs"
#: The key of what a process says of itself. Its record has no value, as that of an environment that is given up: builds
#: that do not know it pass it by, and compaction removes it. No environment is called so: "/" is in no name of one.
_PROCESS = b"process/"
_BLIND, _ENDED = "blind", "ended"


class Spoken(NamedTuple):
    """What a process says of itself, on `watch-state`.

    Attributes:
        name: of the process.
        blind: the kinds of blindness that it says.
        ended: whether these are its last words: it has been asked to end.
    """

    name: str
    blind: frozenset[str]
    ended: bool = False


def progress_headers(evaluated_to: int | None, envs: Collection[str] = ()) -> list[tuple[str, bytes]]:
    """The headers of a state.

    Args:
        evaluated_to: the T (ms) up to which the environment is evaluated; None before the first.
        envs: all environments that are evaluated together with it, on one partition.
    """
    headers = [] if evaluated_to is None else [(_EVALUATED_TO, str(evaluated_to).encode())]
    return [*headers, (_TOGETHER, ",".join(envs).encode())] if envs else headers


def evaluated_to_in(headers: Iterable[tuple[str, bytes]]) -> int | None:
    """The T (ms) in the headers of a record; None in a record of a build that wrote none."""
    for name, value in headers:
        if name == _EVALUATED_TO and value is not None and value.isdigit() and len(value) < 20:
            return int(value)
    return None


def together_in(headers: Iterable[tuple[str, bytes]]) -> frozenset[str] | None:
    """All environments that are evaluated on the partition of a record; None where its headers do not say."""
    for name, value in headers:
        if name == _TOGETHER and value:
            return frozenset(value.decode("utf-8", "replace").split(","))
    return None


def spoken_key(name: str) -> bytes:
    """The key of the records of a process."""
    return _PROCESS + name.encode()


def spoken_headers(blind: Collection[str], *, ended: bool = False) -> list[tuple[str, bytes]]:
    """The headers of a record of a process that says these kinds of blindness."""
    headers = [(_BLIND, ",".join(sorted(blind)).encode())]
    return [*headers, (_ENDED, b"1")] if ended else headers


def spoken_in(key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Spoken | None:
    """What a process says in a record with this key and these headers; None: it is no record of a process."""
    if key is None or not key.startswith(_PROCESS):
        return None
    known = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    blind = frozenset(known.get(_BLIND, "").split(",")) - {""}
    return Spoken(key.removeprefix(_PROCESS).decode("utf-8", "replace"), blind, _ENDED in known)
