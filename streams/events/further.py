"""Which values have the further fields of an event, of which facts keep a sample?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from detectors.axes import Leaf
from streams.events.login_event import LoginEvent
from streams.events.somebody import spelt

__all__ = ["NO_AXES", "FurtherFields", "decoder_of", "stated"]

#: Fields of the schema that hold no string, or another one for each event.
NO_AXES: Final = frozenset(
    {"schema_version", "event_id", "occurred_at", "duration_ms", "authentication_time_s"}
)
#: Further fields that the schema names: in a valid event each is a string or null.
_STRINGS = frozenset(LoginEvent.__struct_fields__) - NO_AXES
#: The most combinations of values that are remembered.
_MOST = 4_096
_STRING = msgspec.json.Decoder(str).decode


class FurtherFields(dict[tuple[str | None, ...], Leaf]):
    """The values of further fields as facts have them, by what records state.

    Args:
        names: the fields, of the schema or not.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self._decode = decoder_of(names, _STRINGS)
        self._has_others = not _STRINGS.issuperset(names)

    def of(self, records: Iterable[bytes]) -> list[Leaf]:
        """Return the values of each record, which holds a valid event; None for no value."""
        each = self._decode(records)
        return list(map(self.__getitem__, map(_all_stated, each) if self._has_others else each))

    def __missing__(self, said: tuple[str | None, ...]) -> Leaf:
        values = tuple([None if value is None else spelt(value) for value in said])
        if len(self) < _MOST:
            self[said] = values
        return values


def _all_stated(each: tuple[Any, ...]) -> tuple[str | None, ...]:
    return tuple([stated(one) if isinstance(one, msgspec.Raw) else one for one in each])


def stated(raw: msgspec.Raw) -> str | None:
    """Return the string that a JSON text holds; None for what is no string."""
    return _STRING(raw) if bytes(raw).startswith(b'"') else None


def decoder_of(
    names: Sequence[str], strings: Collection[str] = ()
) -> Callable[[Iterable[bytes]], Iterator[tuple[Any, ...]]]:
    """Return what gives the fields ``names`` of each of some JSON objects.

    Args:
        names: the fields; of each its JSON text is given, ``null`` if it is absent.
        strings: the fields of which the value is given instead: it is a string or null in every object.
    """
    kinds: list[tuple[Any, Any]] = [
        (str | None, None) if name in strings else (msgspec.Raw, msgspec.Raw(b"null")) for name in names
    ]
    fields = [(f"field_{n}", *kind) for n, kind in enumerate(kinds)]
    renamed = {f"field_{n}": name for n, name in enumerate(names)}
    decode = msgspec.json.Decoder(msgspec.defstruct("_Some", fields, rename=renamed, gc=False)).decode
    return lambda records: map(msgspec.structs.astuple, map(decode, records))
