"""How do the words of a command become the fields of an input: times, links, numbers and the text that is the rest?"""

from __future__ import annotations

from typing import Any, get_args

from detectors.instants import parse_duration, parse_instant
from detectors.process.actions import Action, Field, misgiven
from detectors.process.states import read_states
from detectors.process.vocabulary import Role, Stage
from streams.records.models import TEXT_LIMIT

__all__ = ["read_instant", "read_words", "usage"]

_TIMES = ("since", "until")
_SHOWN = {"since": "FROM", "who": "NAME", "public": "public", "states": "states=AR,TX"}


def usage(action: Action) -> str:
    """Return what follows the word and the target: ``ROLE NAME``, ``[UNTIL] [TEXT]``."""
    if action.about == "cover":
        return "[TEXT]"  # the target is the item
    if action.about == "value":
        return "VALUE"  # all words are the value
    needs = [_SHOWN.get(field, field.upper()) for field in action.needs if field != "text"]
    may = [f"[{_SHOWN.get(field, field.upper())}]" for field in _optional(action) if field != "text"]
    text = ["TEXT"] if "text" in action.needs else ["[TEXT]"] if "text" in action.may else []
    return " ".join([*needs, *may, *text])


def _optional(action: Action) -> list[Field]:
    """Return the fields that an act may have, in the order in which words give them: a text is the last."""
    shown: list[Field] = [one for one in action.may if one in ("until", "item", "link", "public", "states")]
    return [*shown, *(one for one in action.may if one == "text")]


def read_instant(word: str, now: int) -> int:
    """Return the instant (ms) that a word names: RFC 3339, ``now``, or so long from now (``2h``).

    Raises:
        ValueError: it names none.
    """
    if word == "now":
        return now
    try:
        return now + parse_duration(word) if word[:1].isdigit() and "-" not in word else parse_instant(word)
    except (ValueError, OverflowError):
        raise ValueError(f"{word[:40]!r} is no time such as 2h or 2026-11-23T15:00:00Z") from None


def read_words(action: Action, words: str, now: int) -> dict[str, Any]:
    """Return the fields that the words behind the target of an act give.

    A leading number of a follow-up names one that there is, a leading address is a link, and a leading ``public`` makes
    an update one for the public too, and a leading ``states=AR,TX`` says whom a declaration concerns.

    Args:
        action: the act.
        words: as they were typed.
        now: ms since the epoch.

    Raises:
        ValueError: the words do not give what the act takes; the message says what is missing or wrong.
    """
    rest, fields = words.strip(), dict[str, Any]()
    for field in action.needs:
        if field == "text":
            continue
        word, rest = _next(rest)
        if not word:
            raise ValueError(f"{action.word} needs {usage(action)}")
        if field == "who":  # a name may have several words
            word, rest = f"{word} {rest}".strip(), ""
        fields[field] = _value(field, word, now)
    for field in _optional(action):
        word, after = _next(rest)
        if word and field != "text" and _is(field, word):
            fields[field], rest = _value(field, word, now), after
    if rest:
        fields["text"] = rest[:TEXT_LIMIT]
    wrong = misgiven(action, frozenset(fields))
    if wrong is not None:
        raise ValueError(f"{wrong}; {action.word} takes {usage(action) or 'nothing'}")
    return fields


def _next(words: str) -> tuple[str, str]:
    word, _, rest = words.partition(" ")
    return word, rest.strip()


def _is(field: Field, word: str) -> bool:
    match field:
        case "link":
            return word.startswith(("https://", "http://"))
        case "item":
            return word.isascii() and word.isdigit() and len(word) < 3
        case "public":
            return word == "public"
        case "states":
            return word.startswith("states=")
    return word[:1].isdigit()


def _value(field: Field, word: str, now: int) -> object:
    if field in _TIMES:
        return read_instant(word, now)
    if field == "public":
        return True
    if field == "states":
        return read_states(word.partition("=")[2])
    known = {"role": get_args(Role), "stage": get_args(Stage)}.get(field)
    if known is None:
        return word
    spelt = word.lower().replace("-", "_")
    if spelt not in known:
        raise ValueError(f"{field} is one of {', '.join(known)}")
    return spelt
