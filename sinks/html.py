"""How is HTML put together so that no text can become markup? Elements from names, attributes and children."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

__all__ = ["Child", "Html", "joined", "tag"]

_VOID = frozenset({"br", "img", "input", "link", "meta"})


class Html(str):
    """Text that is HTML already: every other text is escaped where it is put into an element."""

    __slots__ = ()


#: What an element may hold: None is left out, and what can be iterated is put in one by one.
Child = str | int | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element.

    Args:
        name: of the element.
        children: what it holds, in order; a text is escaped unless it is ``Html``.
        attributes: by name, with ``_`` for ``-`` and a last ``_`` left out (``class_``, ``data_act``); True stands for
            an attribute without a value, and None and False are left out.
    """
    given = "".join(
        f" {_name(key)}" if value is True else f' {_name(key)}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Html:
    """Children one after the other, escaped unless they are ``Html``."""
    return Html("".join(_parts(children)))


def _parts(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int):
            yield _text(child)
        else:
            yield from _parts(child)


def _text(value: str | int | float) -> str:
    return escape(value) if isinstance(value, str) else str(value)


@cache
def _name(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")
