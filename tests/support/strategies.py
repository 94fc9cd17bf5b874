"""Which logs do property tests draw? Streams of events as producers, networks and wrong clocks make them.

Ids, people and codes come from small pools, so that they collide. Times lie around a few instants, at distances that
decide what counts; durations lie around the thresholds. Most events arrive in order, some seconds to hours late, some
twice, and some records are no events. Logs are short, so that brute force can judge them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.support.oracle import DAY, DEFAULTS, HOUR, MINUTE, NOON, SECOND, Mark, Record, written

__all__ = ["Log", "Variation", "kafka_logs", "marked_logs", "plain_logs", "variations"]


@dataclass(frozen=True)
class Log:
    """Partitions of records, the present with which plain lines are compared, and the marks by partition."""

    partitions: list[list[Record]]
    now: int
    marks: dict[int, list[Mark]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line per record; records that are long on purpose are cut."""
        lines = [f"Log(now={written(self.now)}, marks={self.marks})"]
        for number, records in enumerate(self.partitions):
            for value, timestamp in records:
                shown = (
                    repr(value)
                    if value is None or len(value) < 1_000
                    else f"{value[:200]!r}... ({len(value)} bytes)"
                )
                lines.append(f"  {number}: {timestamp} {shown}")
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


# --------------------------------------------------------------------------------------------------
# One event

_PLACES: tuple[dict[str, Any], ...] = (
    *({"env": "prod", "auth_method": "ssoe", "csp": csp} for csp in ("idme", "idme", "logingov", None)),
    *({"env": "prod", "auth_method": "sis", "csp": csp} for csp in ("idme", "mhv", None)),
    {"env": "prod", "auth_method": "sis"},
    {"env": "staging", "auth_method": "ssoe", "csp": "dslogon"},
    {"env": "localhost", "auth_method": "sis"},
    # Values that nobody has listed, and other spellings of those that somebody has.
    {"env": "production", "auth_method": "SSOe", "csp": "IDme"},
    {"env": "QA-7", "auth_method": "sis", "csp": "logingov"},
    {"env": "eks-staging", "auth_method": "ssoe"},
    {"env": "blue/green", "auth_method": "sis"},
)
_ENDS: tuple[dict[str, Any], ...] = (
    {"step": "new", "outcome": "started"},
    {"step": "authorize", "outcome": "started", "error_code": "007"},
    {"step": "callback", "outcome": "success"},
    {"step": "token", "outcome": "success", "error_code": "400"},
    {"step": "callback", "outcome": "failure", "error_code": "007"},
    {"step": "callback", "outcome": "failure", "error_code": "400", "error_class": "Timeout"},
    {"step": "callback", "outcome": "failure", "error_code": "001"},
    {"step": "callback", "outcome": "failure", "error_code": "400", "error_class": "MalformedParamsError"},
    {"step": "callback", "outcome": "failure", "error_code": "009", "error_class": "X::CodeInvalidError"},
    {"step": "token", "outcome": "failure", "error_code": "400", "error_class": "CodeInvalidError"},
    {
        "step": "refresh",
        "outcome": "failure",
        "error_code": "400",
        "error_class": "SessionNotAuthorizedError",
    },
    {"step": "token", "outcome": "failure", "error_code": "202"},
    {"step": "new", "outcome": "failure", "error_code": "777"},
    {"step": "callback", "outcome": "failure", "error_code": None},
    {"step": "token", "outcome": "failure"},
    {"step": "refresh", "outcome": "success"},
    {"step": "refresh", "outcome": "failure", "error_code": "007"},
    {"step": "logout", "outcome": "failure", "error_code": "001"},
    {"step": "revoke", "outcome": "started"},
    {"step": "webauthn_options", "outcome": "offered"},
    {"step": "webauthn_options", "outcome": "failure", "error_code": "007"},
    {"step": "callback", "outcome": "redirect", "error_code": "400"},
    {
        "step": "Callback",
        "outcome": "FAILURE",
        "error_code": "007",
        "error_class": "SignIn::Errors::AnyError",
    },
)
_PEOPLE: tuple[dict[str, Any], ...] = (
    {"user_hash": "h:ada"},
    {"user_hash": "h:ada", "flow_id": "f:1"},
    {"user_hash": "h:grace", "flow_id": "f:1"},
    {"user_hash": None, "flow_id": "f:1"},
    {"user_hash": None, "flow_id": "f:2"},
    {"flow_id": "f:2"},
    {"flow_id": "h:ada"},
    {"user_hash": None, "flow_id": None},
    {},
)
_DURATIONS = (..., ..., None, 0, 1199.9999, 1200, 1200.5, 2429, 2429.99, 2430, 2430.0, 2431, 60_000, 1e-300)

# Odd, and valid all the same.
_ODDITIES: tuple[dict[str, Any], ...] = (
    *({} for _ in range(12)),
    {"surprise": [{"deep": [[[["]]]{{"]]]]}, None, 1.5]},
    {"acr": "loa3", "request_id": "é\U0001f600" * 128, "login_type": "", "client_id": 'va"web\\'},
    {"authentication_time_s": 38, "operation": None, "direction": "outbound"},
    {"icn": "1012667145V762142", "email": "ada@example.org"},
    {"ssn": None},
    {"first_name": {"is": "Ada"}, "birth_date": 18151210},
)

# Events arrive around a few instants of their log, which lie a window, a horizon or a retention apart ...
_APART = (0, 0, 3 * SECOND, MINUTE, MINUTE + 1, 5 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1, 15 * MINUTE)
_FURTHER_APART = (*_APART, HOUR - SECOND, HOUR, 2 * HOUR, 2 * HOUR + SECOND)
_BESIDE = (0, 0, 0, 0, -1, 1, 500, -SECOND, SECOND, 2 * SECOND)
# ... most of them at once; of the others, by log, so much later that they just do or do not count.
_SOON = (SECOND, 2 * SECOND, 2 * SECOND + 1, 3 * SECOND, 3 * SECOND + 1, MINUTE, 5 * MINUTE, 10 * MINUTE)
_HOURS = tuple(
    hours * HOUR + beside
    for hours in (1, 2)
    for beside in (-SECOND, 0, SECOND, 2 * SECOND, 2 * SECOND + 1, 3 * SECOND, 3 * SECOND + 1, 7 * SECOND)
)
_DELAYS = (
    (0,),
    (*(0 for _ in range(10)), *_SOON),
    (*(0 for _ in range(10)), *_SOON),
    (*(0 for _ in range(30)), *_SOON, *_HOURS),
    (*(0 for _ in range(30)), *_SOON, 5 * HOUR),
)
_ZONES = ("Z", "Z", "Z", "+00:00", "-05:00", "+05:45", "-23:59")


def _event(random: Random, event_id: str, occurred: int) -> dict[str, Any]:
    zone, digits = random.choice(_ZONES), random.choice(["", "", "0", "999", "123456"])
    event: dict[str, Any] = {"schema_version": 1, "event_id": event_id}
    event["occurred_at"] = written(occurred, zone, digits)
    for pool in (_PLACES, _ENDS, _PEOPLE, _ODDITIES):
        event |= random.choice(pool)
    duration = random.choice(_DURATIONS)
    if duration is not ...:
        event["duration_ms"] = duration
    return event


# --------------------------------------------------------------------------------------------------
# What is no event

_WRONG: tuple[dict[str, Any], ...] = (
    {"schema_version": 2},
    {"schema_version": "1"},
    {"schema_version": True},
    {"event_id": ""},
    {"event_id": "e" * 129},
    {"event_id": 17},
    {"occurred_at": "2026-11-23T12:00:00"},
    {"occurred_at": "2026-11-23T12:00:00-00:00"},
    {"occurred_at": "2026-11-23t12:00:00Z"},
    {"occurred_at": "2026-11-23T12:00:60Z"},
    {"occurred_at": "2026-11-31T12:00:00Z"},
    {"occurred_at": NOON},
    {"env": 7},
    {"auth_method": ["ssoe"]},
    {"step": None},
    {"outcome": "timeout" * 40},
    {"csp": 1.5},
    {"client_id": {}},
    {"error_code": 7},
    {"user_hash": ["h:ada"]},
    {"flow_id": "f" * 257},
    {"duration_ms": -1},
    {"duration_ms": "412"},
    {"duration_ms": True},
    {"duration_ms": float("nan")},
    {"duration_ms": float("inf")},
)
_MISSING = ("schema_version", "event_id", "occurred_at", "env", "auth_method", "step", "outcome")
_GARBAGE = (
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"17",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{}",
    b"{'event_id': 'e'}",
    b"x" * 70_000,
    b"[" * 5_000,
)


def _spoilt(event: dict[str, Any], how: int) -> bytes:
    """Return an event made invalid in one of several ways; ``how`` is the index of the way."""
    if how < len(_WRONG):
        return json.dumps(event | _WRONG[how]).encode()
    how -= len(_WRONG)
    if how < len(_MISSING):
        return json.dumps({name: value for name, value in event.items() if name != _MISSING[how]}).encode()
    how -= len(_MISSING)
    if how < len(_GARBAGE):
        return _GARBAGE[how]
    plain = json.dumps(event).encode()
    return (
        plain[:-1],
        plain + b"}",
        plain[:-1] + b',"surprise":"\xff"}',
        plain[:-1] + b',"surprise":"' + b"y" * 65_536 + b'"}',
        plain[:-1] + b',"duration_ms":1e999}',
        plain[:-1] + b',"env":"prod","env":null}',
        plain[:-1] + b',"surprise":' + b"[" * 32 + b"]" * 32 + b"}",
    )[how - len(_GARBAGE)]


_WAYS_TO_SPOIL = len(_WRONG) + len(_MISSING) + len(_GARBAGE) + 7


def _odd_but_valid(event: dict[str, Any], how: int) -> bytes:
    plain = json.dumps(event, ensure_ascii=how % 2 == 0).encode()
    return (
        plain,
        plain,
        b" \t" + plain + b" ",
        b'{"env":5,"outcome":"nothing",' + plain[1:],  # the last of duplicate keys wins
        plain[:-1] + b',"surprise":' + b"[" * 31 + b"]" * 31 + b"}",
        plain.replace(b'"env"', b'"\\u0065nv"'),
    )[how]


# --------------------------------------------------------------------------------------------------
# Logs


# A log is drawn from one seed, as drawing it choice by choice would make logs that are much alike. What hypothesis
# chooses is which records stay, so that of a log that fails only those are left that matter.


def _partition(random: Random, number: int, longest: int) -> list[tuple[int, bytes]]:
    """Draw (arrival, value) of the records of one partition, in their order."""
    start = NOON + random.choice([0, 0, -SECOND, 37 * SECOND, 4_321])
    apart = random.choice([_APART, _APART, _FURTHER_APART])
    instants = [start + random.choice(apart) for _ in range(random.randint(1, 5))]
    delays = random.choice(_DELAYS)
    happened = []
    for n in range(random.randint(0, longest)):
        arrives = random.choice(instants) + random.choice(_BESIDE)
        occurred = arrives - random.choice(delays)
        event_id = random.choice([f"e{number}.{n}"] * 6 + ["once", "twice"])
        happened.append((arrives, occurred, _event(random, event_id, occurred)))
    happened.sort(key=lambda one: one[0])
    records = [(arrives, _odd_but_valid(event, random.randint(0, 5))) for arrives, _, event in happened]
    for _ in range(random.randint(0, 4) if happened else 0):  # copies, some with another time
        arrives, occurred, event = random.choice(happened)
        later = random.choice([0, 0, SECOND, MINUTE, MINUTE + 2, 10 * MINUTE, 10 * MINUTE + 2])
        if random.random() < 0.5:
            event = event | {"occurred_at": written(occurred + later)}
        _insert(records, arrives + later, json.dumps(event).encode())
    for _ in range(random.randint(0, 3) if happened else 0):
        arrives, _, event = random.choice(happened)
        _insert(records, arrives, _spoilt(event, random.randrange(_WAYS_TO_SPOIL)))
    after = max((arrives for arrives, _ in records), default=start)
    return records + _just_so(random, after // (5 * SECOND) * 5 * SECOND + 5 * SECOND, str(number))


def _just_so(random: Random, at: int, number: str) -> list[tuple[int, bytes]]:
    """Return records after all others; a millisecond, or a single record, decides whether the last one counts."""
    happened: list[tuple[int, str, int]] = [(at, f"first.{number}", at)]  # arrival, id, occurrence
    match random.randrange(4):
        case 0:  # a copy, after just so much event time
            later = at + random.choice([MINUTE, 10 * MINUTE]) + random.choice([0, 1])
            happened += [(later, f"later.{number}", later), (later, f"first.{number}", at)]
        case 1:  # a copy, after just so many records
            happened += [(at, f"{n}.between.{number}", at) for n in range(random.randint(0, 2))]
            happened += [(at, f"first.{number}", at)]
        case 2:  # just so late
            happened += [(at, f"late.{number}", at - random.choice(random.choice([_SOON[:4], _HOURS[9:]])))]
        case _:
            return []
    return [
        (arrives, json.dumps(_event(random, one, occurred)).encode()) for arrives, one, occurred in happened
    ]


def _insert(records: list[tuple[int, bytes]], arrives: int, value: bytes) -> None:
    place = sum(earlier <= arrives for earlier, _ in records)
    records.insert(place, (arrives, value))


def _thinned(draw: st.DrawFn, records: list[Record]) -> list[Record]:
    """Draw most of the records, and fewer while hypothesis searches for the simplest failing log."""
    return [record for record in records if draw(st.integers(0, 15))]


_seeds = st.randoms(use_true_random=True)


@st.composite
def plain_logs(draw: st.DrawFn, longest: int = 25) -> Log:
    """Draw one to three partitions of plain lines, without timestamps; by ``now`` some lie in the future or past."""
    random = draw(_seeds)
    partitions: list[list[Record]] = [
        _thinned(draw, [(value, None) for _, value in _partition(random, number, longest)])
        for number in range(draw(st.integers(1, 3)))
    ]
    now = random.choice([20 * MINUTE, 20 * MINUTE, 5 * MINUTE, DAY, 15 * DAY, 35 * DAY + 10 * MINUTE])
    return Log(partitions, NOON + now)


_SKEWS = (
    (0,),
    (-3 * SECOND,),
    (-4 * MINUTE, -4 * MINUTE, 40),
    (0, 40, 1_700),
    (0, -3 * SECOND, 5 * MINUTE),
    (0, 0, -5 * MINUTE, -5 * MINUTE - 1, 35 * DAY, 36 * DAY),
    (0, HOUR, HOUR - 1, 35 * DAY, 35 * DAY + 1),
)


@st.composite
def kafka_logs(draw: st.DrawFn, longest: int = 25) -> Log:
    """Draw one to three partitions of records with timestamps, some of them with null values.

    The timestamps are those of the broker's clock, or, in some logs, of producers' wrong clocks.
    """
    random = draw(_seeds)
    skews = random.choice(_SKEWS)
    partitions: list[list[Record]] = []
    for number in range(draw(st.integers(1, 3))):
        records: list[Record] = [
            (value, max(0, arrives + random.choice(skews)))
            for arrives, value in _partition(random, number, longest)
        ]
        for _ in range(random.randint(0, 1)):
            records.insert(random.randint(0, len(records)), (None, NOON + MINUTE))
        partitions.append(_thinned(draw, records))
    return Log(partitions, NOON)


@st.composite
def marked_logs(draw: st.DrawFn) -> Log:
    """Draw logs as from Kafka, with marks, in which the clock raised the watermark in place of events."""
    log = draw(kafka_logs())
    instants = [NOON + apart + beside for apart in _FURTHER_APART for beside in (-2 * SECOND, -1, 0, SECOND)]
    marks = {}
    for number, records in enumerate(log.partitions):
        places = st.tuples(st.integers(0, len(records)), st.sampled_from(instants))
        marks[number] = sorted(draw(st.lists(places, max_size=3)))
    return Log(log.partitions, log.now, marks)


# --------------------------------------------------------------------------------------------------
# Policies


@dataclass(frozen=True)
class Variation:
    """A policy: the text of its file, and the same values as the numbers that the oracle takes."""

    yaml: str
    numbers: dict[str, Any] = field(default_factory=dict)


_VARIATIONS = (
    Variation("{}"),
    Variation("{sli_every: 7s}", {"sli_every": 7 * SECOND}),
    Variation("{dedup_ids: 1}", {"dedup_ids": 1}),
    Variation("{dedup_ids: 2, future_limit: 0s}", {"dedup_ids": 2, "future_limit": 0}),
    Variation("{dedup_horizon: 1m, retention: 1h}", {"dedup_horizon": MINUTE, "retention": HOUR}),
    Variation(
        "{step: 5s, watermark_delay: 0s, sli_every: 15s}",
        {"step": 5 * SECOND, "watermark_delay": 0, "sli_every": 15 * SECOND},
    ),
    Variation(
        "{step: 500ms, watermark_delay: 1m, sli_windows: [30s, 10m]}",
        {"step": 500, "watermark_delay": MINUTE, "windows": {"30s": 30 * SECOND, "10m": 10 * MINUTE}},
    ),
    Variation(
        "{objectives: {ssoe: {latency_threshold_ms: 1200}, sis: {latency_threshold_ms: 2430}}}",
        {"latency_threshold": {"ssoe": 1200, "sis": 2430}},
    ),
    Variation(
        '{codes: {"007": {means: theirs, counts: excluded}, "001": {means: ours, counts: bad}}}',
        {"excluded": (DEFAULTS["excluded"] | {"007"}) - {"001"}},
    ),
    Variation("{dedup_horizon: 1m, past_limit: 1h}", {"dedup_horizon": MINUTE, "past_limit": HOUR}),
)


def variations() -> st.SearchStrategy[Variation]:
    """Draw the shipped policy, and others with one change that decides what counts."""
    return st.sampled_from(_VARIATIONS)
