"""Which kind of event is it: its environment, the values of its axes, step, outcome, error code and error class?

Events state these as free strings. A kind holds them as ``detectors.values`` spells them, and kinds are numbered, so
that columns of events hold numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, NamedTuple

from detectors.axes import AXES, Leaf
from detectors.values import LONGEST, OTHER, class_name
from streams.events.further import NO_AXES, FurtherFields, decoder_of, stated
from streams.events.login_event import FORBIDDEN, LoginEvent
from streams.events.somebody import says_who, spelt

__all__ = ["ENV_ALIASES", "FAILURE", "MOST_KINDS", "EnvKind", "Fields", "Kinds"]

#: The outcome whose events have people, a code and a class.
FAILURE: Final = "failure"
#: Values are free strings: kinds are numbered anew when somebody sends more.
MOST_KINDS = 4096
#: Other names of an environment -> its name.
ENV_ALIASES = (("eks-prod", "prod"), ("eks-staging", "staging"), ("production", "prod"))

#: What no code has, but an identifier of a person in a text that a producer made the code.
_NINE_DIGITS = re.compile(r"\d{9}")

_BEFORE, _BEHIND = ("env",), ("step", "outcome", "error_code", "error_class")


class EnvKind(NamedTuple):
    """What is alike in events but for their time: the environment, and a ``facts.Kind``."""

    env: str
    leaf: Leaf
    step: str
    outcome: str
    code: str
    error_class: str


@dataclass(frozen=True)
class Fields:
    """Which fields of an event make its leaf, and which names of environments mean the same.

    Attributes:
        axes: names of fields, of the schema or not; a field that is no string has no value.
        env_aliases: (another name, name) of environments.
        further: names of fields whose values are recorded of a sample of events.
    """

    axes: tuple[str, ...] = AXES
    env_aliases: tuple[tuple[str, str], ...] = ENV_ALIASES
    further: tuple[str, ...] = ()


class Kinds(dict[tuple[Any, ...], int]):
    """Numbers of kinds, by the values that make one: env, the axes, step, outcome, error code and error class.

    Attributes:
        known: the kinds by number.
        failed: for each, whether it is of failures.
        further: the further fields, of which a sample is recorded.
    """

    def __init__(self, fields: Fields | None = None) -> None:
        super().__init__()
        self.known: list[EnvKind] = []
        self.failed: list[bool] = []
        self._numbers: dict[EnvKind, int] = {}
        fields = fields or Fields()
        self._aliases = dict(fields.env_aliases)
        known = LoginEvent.__struct_fields__
        # A forbidden field is always None, and stands in for axes on which no event has a value here.
        plain = [axis if axis in known and axis not in NO_AXES else FORBIDDEN[0] for axis in fields.axes]
        self._values: Callable[[LoginEvent], tuple[Any, ...]] = attrgetter(*_BEFORE, *plain, *_BEHIND)
        others = [axis for axis in fields.axes if axis not in known]
        self._places = [len(_BEFORE) + fields.axes.index(axis) for axis in others]
        self._decode_others = decoder_of(others) if others else None
        self.further = FurtherFields(fields.further)

    def __missing__(self, values: tuple[Any, ...]) -> int:
        kind = self._kind(values)
        number = self._numbers.get(kind)
        if number is None:
            number = self._numbers[kind] = len(self.known)
            self.known.append(kind)
            self.failed.append(kind.outcome == FAILURE)
        if len(self) < 4 * MOST_KINDS:
            self[values] = number
        return number

    def of(self, events: Sequence[LoginEvent], records: Callable[[], Sequence[bytes]]) -> list[int]:
        """Return the number of the kind of each event.

        Args:
            events: the events.
            records: gives the record value of each; asked only for axes that the schema does not name.
        """
        each = map(self._values, events)
        if self._decode_others is not None:
            each = map(self._with_others, each, self._decode_others(records()))
        return list(map(self.__getitem__, each))

    def _with_others(self, values: tuple[Any, ...], others: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the values with those of ``others``, the texts of the fields that the schema does not name."""
        filled = list(values)
        for place, raw in zip(self._places, others, strict=True):
            filled[place] = stated(raw)
        return tuple(filled)

    def _kind(self, values: tuple[Any, ...]) -> EnvKind:
        env, *leaf = values[: -len(_BEHIND)]
        step, outcome, error_code, error_class = values[-len(_BEHIND) :]
        name, outcome = spelt(env), spelt(outcome)
        failed = outcome == FAILURE
        return EnvKind(
            self._aliases.get(name, name),
            tuple([None if value is None else spelt(value) for value in leaf]),
            spelt(step),
            outcome,
            _code(error_code) if failed else "",
            _class(error_class or "") if failed else "",
        )


def _code(error_code: str | None) -> str:
    """Return how an error code is counted: as it is, or ``OTHER`` if it is too long or names somebody; "" for none."""
    code = error_code or ""
    return OTHER if len(code) > LONGEST or _NINE_DIGITS.search(code) or says_who(code) else code


def _class(error_class: str) -> str:
    return OTHER if says_who(error_class) else class_name(error_class)
