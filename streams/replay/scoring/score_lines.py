"""Which JSON objects are a score and a comparison, as ``replay --format jsonl`` prints them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from detectors.backtest.comparison import Change
from detectors.backtest.outcomes import Outcome
from detectors.backtest.score import Answer, Score
from detectors.backtest.totals import cause_of, totals
from detectors.instants import SECOND, format_instant

__all__ = ["comparison_objects", "outcome_object", "score_objects"]

_INSTANTS = frozenset({"opened_at", "paged_at", "resolved_at"})


def score_objects(score: Score, policy_hash: str) -> Iterable[dict[str, Any]]:
    """An ``answer`` for each label, a ``false`` for each incident that answers none, then the ``score``."""
    for answer in score.answers:
        yield _answer(answer)
    for outcome in score.false:
        yield {"type": "false", **outcome_object(outcome)}
    yield {**totals([score]).as_json(), "policy": policy_hash}


def comparison_objects(changes: Sequence[Change], before: str, after: str) -> Iterable[dict[str, Any]]:
    """A ``change`` for each incident that does not stay as it is, then the ``comparison`` with their numbers.

    Args:
        before, after: the hashes of the two policies.
    """
    for change in changes:
        if change.what == "stays":
            continue
        yield {
            "type": "change",
            "incident": change.what,
            "page": change.page,
            "before": None if change.before is None else outcome_object(change.before),
            "after": None if change.after is None else outcome_object(change.after),
            "moved": {name: [_value(name, v) for v in pair] for name, pair in change.moved.items()},
        }
    incidents: Counter[str] = Counter(change.what for change in changes)
    pages: Counter[str] = Counter(change.page for change in changes if change.page != "none")
    kinds = ("appears", "vanishes", "moves", "stays")
    yield {
        "type": "comparison",
        "policy": before,
        "other_policy": after,
        "incidents": {kind: incidents[kind] for kind in kinds},
        "pages": {kind: pages[kind] for kind in kinds},
    }


def outcome_object(outcome: Outcome) -> dict[str, Any]:
    """What became of one epoch of an incident, in short."""
    return {
        "incident": outcome.incident,
        "epoch": outcome.epoch,
        "scope": outcome.scopes[-1][1],
        "causes": list(outcome.causes),
        "peak_severity": outcome.peak_severity,
        "opened_at": format_instant(outcome.opened_at),
        "paged_at": _instant(outcome.paged_at),
        "pages": len(outcome.pages),
        "resolved_at": _instant(outcome.resolved_at),
        "resolved_reason": outcome.resolved_reason,
        "sentence": outcome.sentence,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    label = answer.label
    return {
        "type": "answer",
        "label": {
            "kind": label.kind,
            "scope": label.scope,
            "start": format_instant(label.start),
            "end": format_instant(label.end),
            "severity": label.severity,
            "users": label.users,
            "page": label.page,
        },
        "met": answer.met,
        "incident": None if answer.own is None else answer.own.incident,
        "to_open_s": _seconds(answer.to_open),
        "to_page_s": _seconds(answer.to_page),
        "scope": answer.scope,
        "severity": answer.severity,
        "causes": cause_of(answer),
        "ending": answer.ending,
        "recovery_s": _seconds(answer.recovery),
        "again": [outcome_object(one) for one in answer.again],
        "duplicates": [outcome_object(one) for one in answer.duplicates],
        "shared": None if answer.shared is None else answer.shared.incident,
    }


def _value(name: str, value: object) -> object:
    return format_instant(value) if name in _INSTANTS and isinstance(value, int) else value


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / SECOND
