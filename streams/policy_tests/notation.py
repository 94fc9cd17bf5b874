"""Which events does a line in the short notation of input series stand for?

A line reads::

    prod/ssoe/idme callback success 2/s x 10m, success 1/s + failure 007 1/s x 5m, gap 30s, failure 007 once

A scope, a step, then segments that follow each other in time, with commas between. A segment is what happens at
once (``+`` joins several kinds of events) for a duration, or a single time (``once``), or a ``gap``.

Scope: ``prod/ssoe/idme``; ``prod/ssoe`` for events that carry no provider; ``*`` takes the methods, or the providers,
in turn. Step: as in the events, or ``sign_in``, which is a start and its completion at one instant.
Events: ``success``, ``failure`` with or without a code, ``started``, and of ``sign_in`` also ``lost``, which starts and
never comes back. Amount: ``2/s``, ``30/m``, ``400/h``, or ``40 events`` over the whole segment, evenly spread.
Options: ``people=unique`` (the default), ``same``, ``none`` (not identified), ``12`` (twelve people in turn), or
``12:name``, which is the same twelve wherever the name stands; ``ms=3000`` for the duration of each request; and
``FIELD=VALUE`` for any value of a field of the events, listed or not: ``csp=clear``, ``client_id=vaweb``,
``error_class=CodeInvalid``, ``acr=loa1``, and of a single step ``step=webauthn_options``, ``outcome=offered``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from detectors.instants import HOUR, MINUTE, SECOND, parse_duration
from detectors.policy.source import quote
from detectors.scopes import CSPS, ENVS, METHODS, STEPS

__all__ = ["SIGN_IN", "Events", "Segment", "Series", "parse_flow", "parse_series"]

#: The step that stands for a whole sign-in: its start, and its callback at the same instant.
SIGN_IN = "sign_in"

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR}
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)
_PEOPLE = re.compile(r"(\d+)(?::([A-Za-z0-9_.-]+))?", re.ASCII)
_MOST = 1_000_000

#: Fields that an option may set; of a sign-in, which is two events, the steps and outcomes are given.
_FIELDS = (
    "auth_method",
    "csp",
    "client_id",
    "login_type",
    "acr",
    "operation",
    "direction",
    "error_class",
)
_OF_ONE_STEP = ("step", "outcome")

Outcome = Literal["started", "success", "failure", "lost"]
_OUTCOMES: dict[str, Outcome] = {"started": "started", "success": "success", "failure": "failure"}
_SIGN_IN_OUTCOMES: dict[str, Outcome] = {"success": "success", "failure": "failure", "lost": "lost"}


@dataclass(frozen=True)
class Events:
    """Events of one kind.

    Attributes:
        outcome: of each.
        code: the error code of a failure; None without one.
        rate: events per ms; None for a number of events.
        number: how many in all; None for a rate.
        people: how many people there are in turn; 0 for each its own, None for nobody that is known.
        name: of these people, where others are to be the same.
        duration: of each request, ms; None for the usual.
        fields: further fields of each, with their values.
    """

    outcome: Outcome
    code: str | None = None
    rate: Fraction | None = None
    number: int | None = None
    people: int | None = 0
    name: str | None = None
    duration: float | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def offsets(self, length: int) -> list[int]:
        """Return when each event happens, in ms from the beginning of a segment of ``length`` ms; evenly spread."""
        if length == 0:
            return [0] * (self.number or 1)
        if self.rate is not None:
            per, every = self.rate.numerator, self.rate.denominator
            number = ceil(self.rate * length - Fraction(1, 2))
            return [(2 * k + 1) * every // (2 * per) for k in range(number)]
        number = self.number or 0
        return [length * (2 * k + 1) // (2 * number) for k in range(number)]


@dataclass(frozen=True)
class Segment:
    """What happens at once, for ``length`` ms; nothing in a gap; a single time where it is 0."""

    events: tuple[Events, ...]
    length: int


@dataclass(frozen=True)
class Series:
    """One input series.

    Attributes:
        text: as it was written.
        env: environment.
        leaves: (method, provider or None), taken in turn.
        step: of the events, or ``SIGN_IN``.
        segments: one after another.
    """

    text: str
    env: str
    leaves: tuple[tuple[str, str | None], ...]
    step: str
    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        """ms from the beginning of the first segment to the end of the last."""
        return sum(segment.length for segment in self.segments)


def parse_series(text: str) -> Series:
    """The series that a text describes.

    Raises:
        ValueError: it describes none; the message says where it goes wrong.
    """
    words = _Words(text)
    env, leaves, step = _head(words)
    segments = [_segment(words, step)]
    while words.take(","):
        segments.append(_segment(words, step))
    words.end("',' and another segment")
    return Series(text, env, leaves, step, tuple(segments))


def parse_flow(text: str) -> Series:
    """A series at a constant rate, without an end: what a history is made of. Its one segment has no length.

    Raises:
        ValueError: it describes none.
    """
    words = _Words(text)
    env, leaves, step = _head(words)
    events = _together(words, step)
    words.end("nothing more: a history goes on for two weeks")
    if any(one.rate is None for one in events):
        raise ValueError("a history has rates, such as 2/s, not numbers of events")
    if any(one.fields for one in events):
        raise ValueError("a history knows methods and providers alone: leave out FIELD=VALUE")
    return Series(text, env, leaves, step, (Segment(tuple(events), 0),))


class _Words:
    """The words of a text, and where in it one stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = re.findall(r"[,+]|[^\s,+]+", text)
        self._at = 0

    def next(self, wanted: str) -> str:
        """The next word, of which there must be one."""
        if self._at == len(self._words):
            raise ValueError(f"ends where {wanted} should stand: {quote(self._text)}")
        self._at += 1
        return self._words[self._at - 1]

    def peek(self, ahead: int = 0) -> str:
        """A word further on; "" beyond the end."""
        at = self._at + ahead
        return self._words[at] if at < len(self._words) else ""

    def take(self, word: str) -> bool:
        """Return whether the next word is ``word``; if so, move past it."""
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def refuse(self, wanted: str) -> ValueError:
        """Build the error that the last word is not ``wanted``, which should stand in its place."""
        before = " ".join(self._words[max(0, self._at - 4) : self._at - 1])
        after = f" after {quote(before)}" if before else ""
        return ValueError(f"has {quote(self._words[self._at - 1])}{after}, where {wanted} should stand")

    def end(self, wanted: str) -> None:
        """Check that no word is left.

        Raises:
            ValueError: there is another word, where ``wanted`` should stand.
        """
        if self._at < len(self._words):
            self._at += 1
            raise self.refuse(f"the end, or {wanted}," if wanted[0] == "'" else wanted)


def _head(words: _Words) -> tuple[str, tuple[tuple[str, str | None], ...], str]:
    scope = words.next("a scope")
    env, *below = scope.split("/")
    methods = _either(below[0] if below else "", METHODS)
    csps: tuple[str | None, ...] | None = (None,) if len(below) == 1 else None
    if len(below) == 2:
        csps = _either(below[1], CSPS)
    if env not in ENVS or not methods or not csps:
        raise words.refuse("a scope such as prod/ssoe/idme, prod/ssoe (no provider), prod/*/idme or prod/*/*")
    step = words.next("a step")
    if step not in (*STEPS, SIGN_IN):
        raise words.refuse(f"a step ({', '.join((*STEPS, SIGN_IN))})")
    return env, tuple((method, csp) for method in methods for csp in csps), step


def _either(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return known if name == "*" else tuple(one for one in known if one == name)


def _segment(words: _Words, step: str) -> Segment:
    if words.take("gap"):
        return Segment((), _duration(words))
    events = _together(words, step, may_be_once=True)
    if words.take("once"):
        if any(one.rate is not None for one in events):
            raise ValueError("what happens once has no rate")
        return Segment(tuple(events), 0)
    if not words.take("x"):
        words.next("'x' and a duration, or 'once',")
        raise words.refuse("'x' and a duration, or 'once',")
    length = _duration(words)
    if any(one.rate is None and one.number is None for one in events):
        raise ValueError("'once' stands alone: events that last need an amount such as 2/s or 40 events")
    if any((one.rate or 0) * length > _MOST for one in events):
        raise ValueError(f"a segment has at most {_MOST:,} events of a kind")
    return Segment(tuple(events), length)


def _duration(words: _Words) -> int:
    word = words.next("a duration")
    try:
        length = parse_duration(word)
    except ValueError:
        raise words.refuse("a duration such as 30s, 10m or 1h30m") from None
    if length <= 0:
        raise words.refuse("a duration that is longer than nothing")
    return length


def _together(words: _Words, step: str, *, may_be_once: bool = False) -> list[Events]:
    events = [_events(words, step, may_be_once)]
    while words.take("+"):
        events.append(_events(words, step, may_be_once))
    return events


def _events(words: _Words, step: str, may_be_once: bool) -> Events:
    known = _SIGN_IN_OUTCOMES if step == SIGN_IN else _OUTCOMES
    outcome = known.get(words.next("what happens"))
    if outcome is None:
        raise words.refuse(f"what happens ({', '.join(known)}, or 'gap')")
    code = None
    if outcome == "failure" and not _is_amount(words) and not _is_no_code(words.peek()):
        code = words.next("an error code")
    rate, number = None, None
    if not (may_be_once and _is_once(words)):
        rate, number = _amount(words)
    people: int | None = 0
    name: str | None = None
    duration: float | None = None
    fields: dict[str, str] = {}
    known_fields = _FIELDS if step == SIGN_IN else (*_FIELDS, *_OF_ONE_STEP)
    while "=" in words.peek():
        key, _, value = words.next("an option").partition("=")
        if key == "people":
            people, name = _people(value, words)
        elif key == "ms" and _NUMBER.fullmatch(value):
            duration = float(value)
        elif key in known_fields and value:
            fields[key] = value
        else:
            raise words.refuse(
                f"an option (people=unique, same, none, 12 or 12:name; ms=3000; {'=, '.join(known_fields)}=)"
            )
    return Events(outcome, code, rate, number, people, name, duration, tuple(fields.items()))


def _is_amount(words: _Words) -> bool:
    if _RATE.fullmatch(words.peek()):
        return True
    return bool(_NUMBER.fullmatch(words.peek())) and words.peek(1) in ("event", "events")


def _is_no_code(word: str) -> bool:
    return word in ("", "once", "x", "+", ",") or "=" in word


def _is_once(words: _Words) -> bool:
    """Whether a segment goes on as one that happens a single time, without an amount."""
    ahead = 0
    while "=" in words.peek(ahead):
        ahead += 1
    return words.peek(ahead) in ("once", "+") and not _is_amount(words)


def _amount(words: _Words) -> tuple[Fraction | None, int | None]:
    word = words.next("an amount")
    if rate := _RATE.fullmatch(word):
        per_ms = Fraction(rate[1]) / _UNITS[rate[2]]
        if per_ms <= 0:
            raise words.refuse("a rate above 0 (a 'gap' is for nothing)")
        return per_ms, None
    if _NUMBER.fullmatch(word) and (words.take("events") or words.take("event")):
        if not 0 < int(word) <= _MOST:
            raise words.refuse(f"a number of events from 1 to {_MOST:,}")
        return None, int(word)
    raise words.refuse("an amount such as 2/s, 30/m or 40 events")


def _people(value: str, words: _Words) -> tuple[int | None, str | None]:
    if value == "unique":
        return 0, None
    if value == "none":
        return None, None
    if value == "same":
        return 1, None
    counted = _PEOPLE.fullmatch(value)
    if counted is None or not 0 < int(counted[1]) <= _MOST:
        raise words.refuse("people=unique, same, none, 12 or 12:name")
    return int(counted[1]), counted[2]
