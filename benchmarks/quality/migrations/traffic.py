"""Which events and which history does a move make? Drawn around the demand, by leaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks.quality.migrations.migration import Migration, Stretch
from detectors.arrays import Floats, Ints
from detectors.axes import AXES, Leaf
from detectors.history.history import BUCKET, FIELDS
from detectors.instants import DAY, MINUTE, SECOND, format_instant
from streams.simulate.rows import seeded

__all__ = ["ENV", "events", "history"]

ENV = "prod"
_STREAM = 12
_HISTORY = 14 * DAY
#: Of those who start, these come back to a callback; of those some fail by their own act, and hardly any by ours.
_RETURNS, _OWN_ACT, _BAD = 0.72, 0.025, 0.0004
#: Of the newcomer's callbacks in its outage.
_FAILING = 0.9
_AWAY = (15 * SECOND, 90 * SECOND)
_START_STEP = {"ssoe": "new"}


class _Event(NamedTuple):
    at: int
    step: str
    outcome: str
    code: str | None
    leaf: Leaf
    flow: int


def events(one: Migration, stretch: Stretch) -> list[bytes]:
    """Return the events of a stretch as JSON, in order of time."""
    rng = seeded(one.seed, _STREAM, stretch.begin)
    seconds = np.arange(stretch.begin - 2 * MINUTE, stretch.end, SECOND, dtype=np.int64)
    wanted, moved = one.demand.per_second(seconds), one.moved(seconds)
    out: list[_Event] = []
    flows = 0
    for leaf, per_second in _rates(one, wanted, moved):
        starts = np.repeat(seconds, rng.poisson(per_second))
        starts = starts + rng.integers(0, SECOND, len(starts))
        out += _journeys(rng, one, stretch, leaf, starts, flows)
        flows += len(starts)
    kept = sorted(event for event in out if stretch.begin <= event.at < stretch.end)
    return [_line(one, event, n) for n, event in enumerate(kept)]


def history(one: Migration, before: int) -> Iterator[dict[str, Any]]:
    """Yield the five-minute records of the two weeks before an instant (ms)."""
    rng = seeded(one.seed, _STREAM, before, 1)
    first = before - before % BUCKET - _HISTORY
    at = first + BUCKET * np.arange(_HISTORY // BUCKET, dtype=np.int64)
    wanted = one.demand.expected(first, len(at), BUCKET)
    leaves = [
        (dict(zip(AXES, leaf, strict=True)), _counts(rng, rate))
        for leaf, rate in _rates(one, wanted, one.moved(at + BUCKET // 2))
    ]
    none = dict.fromkeys(FIELDS, 0)
    for n, start in enumerate(at.tolist()):
        shown = [
            {"axes": axes, "sign_in": dict(zip(FIELDS, counts[n].tolist(), strict=True)), "session": none}
            for axes, counts in leaves
            if counts[n].any()
        ]
        yield {"v": 2, "env": ENV, "at": start, "leaves": shown, "excluded": []}


def _rates(one: Migration, wanted: Floats, moved: Floats) -> Iterator[tuple[Leaf, Floats]]:
    """Yield each leaf with the sign-ins that are expected of it, in the shape of ``wanted``."""
    for leaf, share in zip(one.leaves, one.shares.tolist(), strict=True):
        successor = one.successor(leaf)
        if successor is None:
            yield leaf, wanted * share
        else:
            yield leaf, wanted * share * (1.0 - moved)
            yield successor, wanted * share * moved


def _counts(rng: np.random.Generator, rate: Floats) -> Ints:
    """Draw the counts (bin, counter) of a leaf."""
    counts = np.zeros((len(rate), len(FIELDS)), dtype=np.int64)
    ratios = {
        "started": 1.0,
        "good": _RETURNS * (1 - _OWN_ACT - _BAD),
        "bad": _RETURNS * _BAD,
        "excluded": _RETURNS * _OWN_ACT,
    }
    for name, ratio in ratios.items():
        counts[:, FIELDS.index(name)] = rng.poisson(rate * ratio)
    completed = counts[:, FIELDS.index("good")] + counts[:, FIELDS.index("bad")]
    counts[:, FIELDS.index("timed")] = completed
    return counts


def _journeys(
    rng: np.random.Generator, one: Migration, stretch: Stretch, leaf: Leaf, starts: Ints, flows: int
) -> Iterator[_Event]:
    """Yield the start of each sign-in, and its callback if the person comes back."""
    step = _START_STEP.get(str(leaf[0]), "authorize")
    back = starts + rng.integers(*_AWAY, len(starts))
    chance, returns = rng.random(len(starts)), rng.random(len(starts)) < _RETURNS
    for n, (start, end, comes, luck) in enumerate(
        zip(starts.tolist(), back.tolist(), returns.tolist(), chance.tolist(), strict=True)
    ):
        yield _Event(start, step, "started", None, leaf, flows + n)
        if not comes:
            continue
        fails = (
            _FAILING
            if stretch.outage is not None and leaf[one.axis] == one.new and end >= stretch.outage
            else _BAD
        )
        if luck < fails:
            yield _Event(end, "callback", "failure", "007", leaf, flows + n)
        elif luck > 1 - _OWN_ACT:
            yield _Event(end, "callback", "failure", "001", leaf, flows + n)
        else:
            yield _Event(end, "callback", "success", None, leaf, flows + n)


def _line(one: Migration, event: _Event, number: int) -> bytes:
    record: dict[str, object] = {
        "schema_version": 1,
        "event_id": f"{one.seed}-{number}",
        "occurred_at": format_instant(event.at),
        "env": ENV,
        "step": event.step,
        "outcome": event.outcome,
        "flow_id": f"f{event.flow}",
        "duration_ms": 300,
    }
    record |= zip(AXES, event.leaf, strict=True)
    if event.step == "callback":
        record["user_hash"] = f"u{event.flow}"
    if event.code:
        record["error_code"] = event.code
    return msgspec.json.encode(record)
