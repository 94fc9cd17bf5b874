"""Which login events and five-minute records does a series stand for?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np

from detectors.history.history import BUCKET
from detectors.instants import DAY, format_instant
from detectors.policy.policy import Policy
from detectors.scopes import LEAVES, MEMBERS, SIGN_IN_STEPS, leaf_index, scope_path
from detectors.windows.counters import COUNTERS
from streams.policy_tests.notation import SIGN_IN, Events, Series

__all__ = ["HISTORY_LENGTH", "USUAL_MS", "history_of", "lines_of"]

#: The history that a constant rate makes.
HISTORY_LENGTH = 14 * DAY
#: Server time of a request, where a series does not say: well under the thresholds of the SLA.
USUAL_MS = 200.0
_FIELDS = COUNTERS[:6]
_GOOD, _BAD, _EXCLUDED, _STARTED, _SLOW, _TIMED = range(6)
_STARTS = {"ssoe": "new", "sis": "authorize"}


def lines_of(series: Sequence[Series], start: int) -> list[bytes]:
    """The events of all series as JSON, in the order of their time.

    Args:
        start: when every series begins, ms.
    """
    found: list[tuple[int, int, int, bytes]] = []
    for i, one in enumerate(series):
        at = start
        ordinal = 0
        for s, segment in enumerate(one.segments):
            for e, events in enumerate(segment.events):
                pool = events.name or f"{i}.{s}.{e}"
                for k, offset in enumerate(events.offsets(segment.length)):
                    for event in _sign_in(one, events, k) if one.step == SIGN_IN else _single(one, events, k):
                        event["event_id"] = f"{i}-{ordinal}"
                        event["occurred_at"] = format_instant(at + offset)
                        event["flow_id"] = f"h:flow-{pool}-{k}"
                        if events.people is not None and event["outcome"] != "started":
                            person = k % events.people if events.people else k
                            event["user_hash"] = f"h:{pool}-{person}"
                        found.append((at + offset, i, ordinal, msgspec.json.encode(event)))
                        ordinal += 1
            at += segment.length
    found.sort()
    return [line for *_, line in found]


def _single(series: Series, events: Events, k: int) -> list[dict[str, Any]]:
    method, csp = series.leaves[k % len(series.leaves)]
    return [_event(series.env, method, csp, series.step, events)]


def _sign_in(series: Series, events: Events, k: int) -> list[dict[str, Any]]:
    """A start, and unless it is lost, its callback."""
    method, csp = series.leaves[k % len(series.leaves)]
    start = _event(series.env, method, csp, _STARTS[method], _start(events))
    if events.outcome == "lost":
        return [start]
    return [start, _event(series.env, method, csp, "callback", events)]


def _start(events: Events) -> Events:
    fields = tuple(one for one in events.fields if one[0] != "error_class")
    return Events("started", duration=events.duration, fields=fields)


def _event(env: str, method: str, csp: str | None, step: str, events: Events) -> dict[str, Any]:
    event: dict[str, Any] = {
        "schema_version": 1,
        "env": env,
        "auth_method": method,
        "step": step,
        "outcome": events.outcome,
        "csp": csp,
        "duration_ms": USUAL_MS if events.duration is None else events.duration,
    }
    if events.code is not None:
        event["error_code"] = events.code
    return event | dict(events.fields)


def history_of(flows: Sequence[Series], start: int, policy: Policy) -> Iterator[dict[str, Any]]:
    """Records of ``sli-history`` of the two weeks before ``start`` (ms), as constant rates make them.

    Counts are whole and add up to the rates; steps of sessions have no part in a history.
    """
    end = start - start % BUCKET
    buckets = HISTORY_LENGTH // BUCKET
    numbers = np.arange(buckets + 1, dtype=np.int64)
    for env in dict.fromkeys(flow.env for flow in flows):
        leaves = np.zeros((buckets, len(LEAVES), len(_FIELDS)), dtype=np.int64)
        for leaf, row in enumerate(_rates([flow for flow in flows if flow.env == env], policy)):
            for counter, rate in enumerate(row):
                per_bucket = rate * BUCKET
                so_far = numbers * per_bucket.numerator // per_bucket.denominator
                leaves[:, leaf, counter] = np.diff(so_far)
        counts = MEMBERS.astype(np.int64) @ leaves
        for number in range(buckets):
            yield {
                "env": env,
                "at": format_instant(end - HISTORY_LENGTH + number * BUCKET),
                "scopes": {
                    scope_path(env, scope): dict(zip(_FIELDS, row.tolist(), strict=True))
                    for scope, row in enumerate(counts[number])
                    if row.any()
                },
            }


def _rates(flows: Sequence[Series], policy: Policy) -> list[list[Fraction]]:
    """Per leaf and field, events a ms."""
    rates = [[Fraction(0)] * len(_FIELDS) for _ in LEAVES]
    for flow in flows:
        if flow.step != SIGN_IN and flow.step not in SIGN_IN_STEPS:
            continue
        for method, csp in flow.leaves:
            row = rates[leaf_index(method, csp)]
            threshold = policy.objectives[method].latency_threshold_ms
            for events in flow.segments[0].events:
                each = (events.rate or Fraction(0)) / len(flow.leaves)
                if flow.step == SIGN_IN or events.outcome == "started":
                    row[_STARTED] += each
                if events.outcome in ("started", "lost"):
                    continue
                bad = events.outcome == "failure" and policy.is_bad(events.code or "")
                good = events.outcome == "success"
                row[_GOOD if good else _BAD if bad else _EXCLUDED] += each
                if good or bad:
                    row[_TIMED] += each
                    row[_SLOW] += each * ((events.duration or USUAL_MS) >= threshold)
    return rates
