"""What is counted, and when, by the definitions alone? A brute-force oracle, slow and written to be obvious.

The oracle decides which events are duplicates, late or too late, and computes every ``sli`` line; ``oracle_event.py``
decides which records are events. Both share no code with the engine: if the engine agrees with them on random input, it
is taken to be right. Nothing here is incremental: every value is computed from the list of all events, separately for
each instant, scope and window.

Instants are ms since the epoch. A partition is a list of records ``(value, timestamp)``: the bytes (None for a null
value) and the Kafka record timestamp (None for a plain line of a file). Offsets are positions in the list.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

from tests.support.oracle_event import Event, Invalid, event_of

__all__ = [
    "DAY",
    "DEFAULTS",
    "HOUR",
    "MINUTE",
    "NOON",
    "SECOND",
    "Judgement",
    "Mark",
    "Record",
    "judge",
    "records_of",
    "written",
]

Record = tuple[bytes | None, int | None]
Mark = tuple[int, int]  # next offset, watermark

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z, when the examples take place

#: The numbers that the default policy holds, written down a second time on purpose.
DEFAULTS: dict[str, Any] = {
    "step": SECOND,
    "watermark_delay": 2 * SECOND,
    "retention": 2 * HOUR,
    "dedup_ids": 1_000_000,
    "dedup_horizon": 10 * MINUTE,
    "future_limit": 5 * MINUTE,
    "past_limit": 35 * DAY,
    "excluded": {  # failures that are the person's act, or lie in the person's data
        *("001", "002", "005", "009"),
        *("101", "102", "103", "104", "106", "107", "108", "110", "111", "113"),
        *("202", "203"),
    },
    # Rules about failures: what each tests, and whether a failure that fits it is excluded.
    "rules": (
        (
            {
                "class": (
                    *("accessdenied", "statecodeinvalid", "codechallengemismatch", "invalidcredentiallevel"),
                    *("termsofusenotaccepted", "credentiallocked", "unverifiedcredentialblocked"),
                    *("mpilockedaccount", "mpimalformedaccount", "attributemismatch"),
                    *("credentialmissingattribute", "mhvmissingmpirecord", "userattributesmalformed"),
                )
            },
            True,
        ),
        (
            {
                "class": (
                    *("accesstokenexpired", "accesstokenunauthenticated", "sessionnotauthorized"),
                    *("sessionnotfound", "logoutauthorization", "refreshtokenmalformed"),
                    "refreshtokendecryption",
                ),
                "step": ("refresh", "revoke", "revoke_all_sessions", "logout"),
            },
            True,
        ),
        (
            {
                "class": (
                    *("tokentheftdetected", "refreshnoncemismatch", "refreshversionmismatch"),
                    *("anticsrfmismatch", "accesstokensignaturemismatch", "statepayloadsignaturemismatch"),
                )
            },
            True,
        ),
        (
            {
                "class": (
                    *("malformedparams", "missingparams", "granttypevalue", "invalidtype", "invalidacr"),
                    *("invalidscope", "accesstokenmalformedjwt", "statepayloadmalformedjwt"),
                    *("logoutmalformedjwt", "statepayload", "codeverifiermalformed"),
                    *("codechallengemalformed", "codechallengemethodmismatch"),
                ),
                "no_csp": True,
                "no_client": True,
            },
            True,
        ),
        ({"class": ("codeinvalid",), "step": ("token",)}, True),
        (
            {
                "class": (
                    *("invalidaudience", "invalidclientconfig", "invalidssorequest", "codeinvalid"),
                    *("invalidaccesstokenattribute", "invalidserviceaccountscope"),
                    *("credentialprovider", "mpiusercreationfailed", "useraccountnotfound"),
                ),
                "beginning": ("clientassertion", "assertion", "invalidtoken", "serviceaccount"),
            },
            False,
        ),
    ),
    "latency_threshold": {"ssoe": 2430, "sis": 1200},
    "windows": {"5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR},
    "sli_every": 60 * SECOND,
    "now": None,  # what plain lines are judged against
}

# --------------------------------------------------------------------------------------------------
# Accepted


@dataclass(frozen=True)
class Accepted:
    """An accepted event with its pane and the watermark of its partition just before it."""

    event: Event
    partition: int
    offset: int
    pane: int
    watermark: float  # -inf before the first
    late: bool
    too_late: bool
    recorded: int | None = None  # the record's timestamp

    def first_t(self, step: int, delay: int) -> int:
        """Return what ``FactRow.first_t`` of the event must be, for panes of ``step`` ms and ``delay`` (ms)."""
        if self.too_late:
            return -1
        reached = self.watermark
        if not self.late:
            if self.recorded is None or self.event.at <= self.recorded + 10_000:
                return 0
            reached = max(reached, self.recorded - delay)
        arrives = (int(reached) // step + 1) * step
        return arrives if self.late or arrives < self.pane + step else 0

    def counts(self, window: int, at: int) -> bool:
        """Return whether the event lies in ``[at - window, at)`` (ms) and counts at ``at``."""
        return not self.too_late and at - window <= self.pane < at and at > self.watermark


@dataclass(frozen=True)
class Judgement:
    """The results for the records: the counts, the decision about each record, accepted events and ``sli`` lines."""

    events: int
    accepted: int
    rejected: int
    duplicates: int
    late: int
    too_late: int
    acceptance: list[list[str]]  # by partition and offset: accepted, late, too_late, duplicate, rejected
    counted: list[Accepted]
    slis: list[dict[str, Any]]

    def summary(self) -> dict[str, int]:
        """Return the counts of the ``summary`` line."""
        names = ("events", "accepted", "rejected", "duplicates", "late", "too_late")
        return {name: getattr(self, name) for name in names}


def judge(
    partitions: Sequence[Sequence[Record]],
    numbers: dict[str, Any] | None = None,
    marks: Mapping[int, Sequence[Mark]] | None = None,
) -> Judgement:
    """Compute all results from the partitions' logs, the marks and the policy's numbers.

    Args:
        partitions: the logs.
        numbers: numbers that differ from ``DEFAULTS``; ``now`` is required if a record has no timestamp.
        marks: by partition, (next offset, watermark): each lifts the watermark of the records from there on.
    """
    policy = DEFAULTS | (numbers or {})
    accepted: list[Accepted] = []
    acceptance: list[list[str]] = []
    for number, records in enumerate(partitions):
        fates, here = _partition(number, records, (marks or {}).get(number, ()), policy)
        acceptance.append(fates)
        accepted += here
    fates = [fate for fates in acceptance for fate in fates]
    return Judgement(
        events=len(fates),
        accepted=len(accepted),
        rejected=fates.count("rejected"),
        duplicates=fates.count("duplicate"),
        late=fates.count("late"),
        too_late=fates.count("too_late"),
        acceptance=acceptance,
        counted=accepted,
        slis=_slis(accepted, policy),
    )


def _partition(
    number: int, records: Sequence[Record], marks: Sequence[Mark], policy: dict[str, Any]
) -> tuple[list[str], list[Accepted]]:
    fates: list[str] = []
    accepted: list[Accepted] = []
    valid: list[tuple[Event, int | None]] = []  # with the record timestamp
    for offset, (value, timestamp) in enumerate(records):
        try:
            event = event_of(value)
        except Invalid:
            fates.append("rejected")
            continue
        reference = timestamp if timestamp is not None else policy["now"]
        if event.at > reference + policy["future_limit"] or event.at < reference - policy["past_limit"]:
            fates.append("rejected")
            continue
        if _is_duplicate(event, valid, policy):
            fates.append("duplicate")
        else:
            pane = event.at // policy["step"] * policy["step"]
            watermark = _watermark(valid, [mark for mark in marks if mark[0] <= offset], policy)
            too_late = pane + policy["step"] <= watermark - policy["retention"]
            late = pane + policy["step"] <= watermark and not too_late
            fates.append("too_late" if too_late else "late" if late else "accepted")
            accepted.append(Accepted(event, number, offset, pane, watermark, late, too_late, timestamp))
        valid.append((event, timestamp))
    return fates, accepted


def _is_duplicate(event: Event, valid: list[tuple[Event, int | None]], policy: dict[str, Any]) -> bool:
    places = [place for place, (earlier, _) in enumerate(valid) if earlier.id == event.id]
    if not places:
        return False
    greatest_then = max(earlier.at for earlier, _ in valid[: places[-1] + 1])
    greatest_now = max(earlier.at for earlier, _ in valid)
    return bool(
        len(valid) - places[-1] <= policy["dedup_ids"]
        and greatest_now - greatest_then <= policy["dedup_horizon"]
    )


def _watermark(valid: list[tuple[Event, int | None]], marks: Iterable[Mark], policy: dict[str, Any]) -> float:
    watermark = -math.inf
    if valid:
        greatest = max(event.at for event, _ in valid)
        timestamps = [timestamp for _, timestamp in valid if timestamp is not None]
        if timestamps:
            greatest = min(greatest, max(timestamps))
        watermark = greatest - policy["watermark_delay"]
    return max([watermark, *(mark for _, mark in marks)])


# --------------------------------------------------------------------------------------------------
# Counted

_SIGN_IN = {"new", "authorize", "authorize_sso", "callback", "token", "passkey"}
_SESSION = {"refresh", "revoke", "revoke_all_sessions", "logout"}


def _class(event: Event, policy: dict[str, Any]) -> str:
    if event.step not in _SIGN_IN | _SESSION:
        return "none"
    if event.outcome != "failure":
        return {"started": "started", "success": "good"}.get(event.outcome, "none")
    by_code: tuple[dict[str, Any], bool] = ({"code": policy["excluded"]}, True)
    fitting = [
        ((len(set(tests) - {"beginning"}), "class" in tests, "step" in tests), excluded)
        for tests, excluded in [*policy["rules"], by_code, ({}, False)]
        if _fits(event, tests)
    ]
    return "excluded" if max(fitting)[1] else "bad"


def _fits(event: Event, tests: dict[str, Any]) -> bool:
    """Return whether an event fits each test of a rule that assigns classes of events."""
    is_one = event.error_class in tests.get("class", ()) or (
        event.error_class.startswith(tests.get("beginning", ()))
    )
    return (
        ("class" not in tests or is_one)
        and ("step" not in tests or event.step in tests["step"])
        and ("code" not in tests or event.code in tests["code"])
        and ("no_csp" not in tests or event.csp is None)
        and ("no_client" not in tests or event.client is None)
    )


def _scopes(event: Event) -> list[str]:
    options = [("*",) if value is None else ("*", value) for value in (event.method, event.csp, event.client)]
    return ["/".join((event.env, *values)).rstrip("/*") for values in product(*options)]


def _slis(accepted: list[Accepted], policy: dict[str, Any]) -> list[dict[str, Any]]:
    if not accepted:
        return []
    end = max(one.event.at for one in accepted)
    every, retention = policy["sli_every"], policy["retention"]
    instants = {  # those at which some event may count at all
        at
        for one in accepted
        for at in range(one.pane // every * every, min(one.pane + retention, end) + 1, every)
        if at % policy["step"] == 0
    }
    by_scope: dict[str, list[Accepted]] = {}
    for one in accepted:
        for scope in _scopes(one.event):
            by_scope.setdefault(scope, []).append(one)
    lines = []
    for at in sorted(instants):
        for scope in sorted(by_scope):
            if not any(one.counts(retention, at) for one in by_scope[scope]):
                continue
            for name, window in sorted(policy["windows"].items(), key=lambda item: item[1]):
                events = [one.event for one in by_scope[scope] if one.counts(window, at)]
                lines.append(_sli(at, scope, name, events, policy))
    return lines


def _sli(at: int, scope: str, window: str, events: list[Event], policy: dict[str, Any]) -> dict[str, Any]:
    sign_in = [event for event in events if event.step in _SIGN_IN]
    classes = [_class(event, policy) for event in sign_in]
    good, bad = classes.count("good"), classes.count("bad")
    durations = [
        (event.duration, policy["latency_threshold"][event.method])
        for event in sign_in
        if _class(event, policy) in ("good", "bad") and event.duration is not None
    ]
    slow = sum(duration >= threshold for duration, threshold in durations)
    return {
        "type": "sli",
        "at": _written(at),
        "scope": scope,
        "window": window,
        "good": good,
        "bad": bad,
        "excluded": classes.count("excluded"),
        "started": classes.count("started"),
        "slow": slow,
        "success_ratio": good / (good + bad) if good + bad else None,
        "latency_ratio": (len(durations) - slow) / len(durations) if durations else None,
        "users_impacted": len({event.person for event in events if _class(event, policy) == "bad"}),
    }


@cache
def _written(at: int) -> str:
    """Return an instant (ms) in RFC 3339, as ``sli`` lines state it: with milliseconds only if they are not 0."""
    return written(at).replace(".000Z", "Z")


def written(at: int, zone: str = "Z", digits: str = "") -> str:
    """Return an instant (ms) in RFC 3339, as events state it: in a time zone, with digits beyond milliseconds."""
    shift = 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * HOUR + int(zone[4:6]) * MINUTE)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at + shift)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(at + shift) % 1000:03d}{digits}{zone}"


# --------------------------------------------------------------------------------------------------
# Files


def records_of(content: bytes) -> list[Record]:
    """Return the records of a file of plain lines, without timestamps; blank lines are no records."""
    return [(line, None) for line in content.split(b"\n") if line.strip()]
