"""How does a record of `watch-state` say how far its environment is evaluated, without being decoded?"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["evaluated_to_in", "progress_headers"]

#: The header that says up to which T (ms) the environment is evaluated. A build that does not know it passes it by.
_EVALUATED_TO = "evaluated_to"


def progress_headers(evaluated_to: int | None) -> list[tuple[str, bytes]]:
    """The headers of a record of an environment that is evaluated up to a T (ms); none before the first T."""
    return [] if evaluated_to is None else [(_EVALUATED_TO, str(evaluated_to).encode())]


def evaluated_to_in(headers: Iterable[tuple[str, bytes]]) -> int | None:
    """The T (ms) in the headers of a record; None in a record of a build that wrote none."""
    for name, value in headers:
        if name == _EVALUATED_TO and value is not None and value.isdigit() and len(value) < 20:
            return int(value)
    return None
