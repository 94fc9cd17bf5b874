"""Hypothesis strategies for record values: plain events, odd ones, broken ones."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.streams.events.validator import FIELDS, FORBIDDEN, KNOWN, NUMBERS

__all__ = ["PLAIN", "broken", "event_bytes", "instants", "odd_events", "plain_events"]

PLAIN: dict[str, object] = {
    "schema_version": 1,
    "event_id": "9f1c",
    "occurred_at": "2026-11-23T15:04:05.123Z",
    "env": "prod",
    "auth_method": "ssoe",
    "step": "callback",
    "outcome": "failure",
}


def event_bytes(**changes: object) -> bytes:
    """A plain event as JSON, with changes (... takes a field out)."""
    event = {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...}
    return json.dumps(event, ensure_ascii=False).encode()


# Whatever UTF-8 can hold.
_characters = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_long = st.sampled_from([127, 128, 129, 255, 256, 257]).flatmap(
    lambda size: st.sampled_from(["x", "é", "\U0001f600"]).map(lambda character: character * size)
)

_two = st.integers(0, 99).map("{:02d}".format)
_zones = st.one_of(
    st.sampled_from(
        ["Z", "z", "", "+00:00", "-00:00", "+23:59", "-23:59", "+24:00", "+00:60", "+0100", "+01"]
    ),
    st.builds("{}{}:{}".format, st.sampled_from("+-"), _two, _two),
)
_fractions = st.one_of(
    st.just(""),
    st.sampled_from([".", ".5", ".1239999", ",123", ".१२३", ".12 3", ".0" * 2, "." + "9" * 240]),
    st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
)


@st.composite
def instants(draw: st.DrawFn) -> str:
    """Instants around the calendar's corners, most of them good."""
    year = draw(
        st.sampled_from(["2026", "2024", "2023", "1900", "2000", "0001", "9999", "0000", "1969", "１９９９"])
    )
    month = draw(st.sampled_from(["01", "02", "04", "11", "12", "00", "13", "1"]))
    day = draw(st.sampled_from(["01", "28", "29", "30", "31", "00", "32"]))
    hour, minute, second = (draw(st.sampled_from(["00", "12", "23", "59", "24", "60"])) for _ in range(3))
    letter = draw(st.sampled_from("TTTTTt _"))
    return f"{year}-{month}-{day}{letter}{hour}:{minute}:{second}{draw(_fractions)}{draw(_zones)}"


_good_instants = st.builds(
    "2026-11-23T15:04:{:02d}{}{}".format,
    st.integers(0, 59),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,9}", fullmatch=True)),
    st.sampled_from(["Z", "Z", "+00:00", "-05:00", "+05:30"]),
)


def _quoted(text: str, escape: bool) -> str:
    return json.dumps(text, ensure_ascii=escape)


_strings = st.builds(_quoted, st.one_of(_characters, _long), st.booleans())
_numbers = st.one_of(
    st.integers(0, 10**25).map(str),
    st.floats(0, allow_infinity=False, allow_nan=False).map(repr),
    st.sampled_from(["-0", "-0.0", "0", "1E3", "1e-400", "5e-324", "1.7976931348623157e308", "0.1e1", "412"]),
    st.sampled_from(["1e400", "-1", "-1e-5", "-1e400", "1" + "0" * 400, "9" * 5000, "-5e-324", "-1e-400"]),
    # 17 digits and more, between two doubles
    st.from_regex(r"[1-9][0-9]{0,24}\.[0-9]{1,24}(e-?[0-9]{1,3})?", fullmatch=True),
)
_NOT_JSON = r"""NaN Infinity -Infinity 01 1. .5 +1 1e -a - 0x1 1_0 tru nul 'a' [1,] {,} {"a"} /**/1 " [ }
"\ud800" "\udc00" "\ud83d\u0041" "\ud83dabcdefgh"
"\uDC00\uD83D" ["\ud800"] {"\udfff":1} "\q" "\u12" "\u00zz" """
_not_json = st.sampled_from([*_NOT_JSON.split(), "", '"a\nb"', '"a\tb"', "\v1", "\u00a01"])
_any_json = st.recursive(
    st.one_of(
        st.sampled_from(["null", "true", "false", "[]", "{}", "1", "1.0", '"1"', '""', "1e400"]), _strings
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(_strings, inner), max_size=3).map(
            lambda pairs: "{%s}" % ",".join(f"{name}: {value}" for name, value in pairs)  # noqa: UP031
        ),
    ),
    max_leaves=5,
)
_deep = st.builds(
    lambda levels, opens: (
        "".join("[" if o else '{"a":' for o in opens[:levels])
        + "1"
        + "".join("]" if o else "}" for o in reversed(opens[:levels]))
    ),
    st.sampled_from([1, 30, 31, 32, 33]),
    st.lists(st.booleans(), min_size=33, max_size=33),
)


#: Values that nobody has listed, in the spellings that producers may choose.
_open = st.sampled_from(
    [
        "clear",
        "Clear",
        "authorize_sso",
        "redirect",
        "production",
        "eks-prod",
        "QA.7",
        "va web",
        "",
        "é",
        "x" * 64,
        "x" * 65,
    ]
)


def _good(name: str) -> st.SearchStrategy[str]:
    if name == "schema_version":
        return st.just("1")
    if name == "event_id":
        return st.text("0123456789abcdef", min_size=1, max_size=32).map(json.dumps)
    if name == "occurred_at":
        return _good_instants.map(json.dumps)
    if name in KNOWN:
        return st.one_of(st.sampled_from(KNOWN[name]), _open).map(json.dumps)
    if name in NUMBERS:
        return st.integers(0, 10**6).map(str)
    return st.text("h:0123456789abcdefé", max_size=20).map(lambda text: _quoted(text, False))


def _odd(name: str) -> st.SearchStrategy[str]:
    special = {
        "schema_version": st.sampled_from(["1.0", "1e0", "2", "0", "-1", "true", '"1"', "1" + "0" * 30])
    }
    special["occurred_at"] = st.one_of(instants(), _good_instants).map(lambda text: _quoted(text, False))
    special.update(dict.fromkeys(NUMBERS, _numbers))
    special.update(
        dict.fromkeys(KNOWN, st.sampled_from(['"Prod"', '"idme "', '"dslogon"', '"dev"', '"sis"']))
    )
    return st.one_of(special.get(name, _strings), special.get(name, _strings), _any_json)


_keys = st.sampled_from(
    [*FIELDS, *FORBIDDEN, "forbidden", "stripped", "leaf", "code", "tag", "type", "ünknown", ""]
)
_space = st.sampled_from(["", "", "", " ", "\n", "\t\r "])


def _spelt(name: str, escape: bool) -> str:
    """The key as it is, or with every character escaped."""
    return '"' + "".join(f"\\u{ord(c):04x}" if escape else c for c in name) + '"'


def _joined(pairs: list[tuple[str, str]], space: str, before: str, after: str) -> bytes:
    body = f",{space}".join(f"{key}{space}:{space}{value}" for key, value in pairs)
    return f"{before}{{{body}}}{after}".encode("utf-8", "surrogatepass")


@st.composite
def _pairs(draw: st.DrawFn) -> list[tuple[str, str]]:
    optional = draw(st.sets(st.sampled_from(FIELDS[7:])))
    names = draw(st.permutations([name for name in FIELDS if name in PLAIN or name in optional]))
    return [(_spelt(name, False), draw(_good(name))) for name in names]


@st.composite
def plain_events(draw: st.DrawFn) -> bytes:
    """Valid events as producers write them."""
    return _joined(draw(_pairs()), draw(st.sampled_from(["", " "])), "", "")


@st.composite
def odd_events(draw: st.DrawFn) -> bytes:
    """JSON objects that are an event but for a few changes, each of which may or may not matter."""
    pairs = draw(_pairs())
    for _ in range(draw(st.integers(1, 3))):
        name = draw(_keys)
        value = draw(
            st.one_of(_odd(name), _odd(name), _odd(name), _deep, _not_json) if name in FIELDS else _unknown
        )
        kind = draw(st.sampled_from(["add", "change", "change", "remove", "shadow"]))
        there = [n for n, (key, _) in enumerate(pairs) if json.loads(key) == name]
        if kind == "change" and there:
            pairs[there[0]] = (_spelt(name, draw(st.booleans())), value)
        elif kind == "remove" and there:
            del pairs[there[0]]
        elif kind == "shadow":  # a later duplicate wins
            pairs.insert(0, (_spelt(name, draw(st.booleans())), value))
        else:
            pairs.append((_spelt(name, draw(st.booleans())), value))
    return _joined(pairs, draw(_space), draw(_space), draw(_space))


_unknown = st.one_of(_any_json, _deep, _numbers, _strings, _not_json)
_inserts = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.sampled_from(
        [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xef\xbb\xbf", b"\x00", b"\n", b"}\n{", b"{", b'"']
    ),
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Bytes: an event with something cut out or put in, or anything at all."""
    value = draw(st.one_of(plain_events(), odd_events()))
    kind = draw(st.sampled_from(["insert", "delete", "truncate", "append", "other", "anything"]))
    start = draw(st.integers(0, len(value)))
    if kind == "insert":
        return value[:start] + draw(_inserts) + value[start:]
    if kind == "delete":
        return value[:start] + value[start + draw(st.integers(1, 3)) :]
    if kind == "truncate":
        return value[:start]
    if kind == "append":
        return value + draw(_inserts)
    if kind == "other":
        return draw(st.one_of(_any_json, _not_json, _numbers, _deep)).encode("utf-8", "surrogatepass")
    return draw(st.binary(max_size=40))
