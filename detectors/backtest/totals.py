"""What are the figures of one or many scored runs: recall, precision, delays, confusions, endings?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from detectors.backtest.outcomes import Outcome
from detectors.backtest.score import Answer, Score
from detectors.instants import SECOND

__all__ = ["Delays", "Totals", "cause_of", "totals"]

#: Kind of label -> the detectors that find this kind; for labels of other kinds no detector is right or wrong.
_DETECTORS = {
    "outage": {"outage", "burn_rate"},
    "silence": {"silence"},
    "funnel": {"funnel"},
    "surge": {"surge"},
    "latency": {"latency"},
}
_GOOD_ENDINGS = ("in time", "faded")


@dataclass(frozen=True)
class Delays:
    """A distribution of delays: values in ms, ascending."""

    values: tuple[int, ...]

    @classmethod
    def of(cls, delays: Iterable[int | None]) -> Delays:
        """Build the distribution of those delays (ms) that are not None."""
        return cls(tuple(sorted(delay for delay in delays if delay is not None)))

    @property
    def median(self) -> float | None:
        """The median delay, ms; None without delays."""
        return median(self.values) if self.values else None

    @property
    def worst(self) -> int | None:
        """The greatest delay, ms; None without delays."""
        return self.values[-1] if self.values else None

    def as_json(self) -> dict[str, object]:
        """Return the count, and the median and the greatest delay in seconds."""
        middle, worst = self.median, self.worst
        return {
            "count": len(self.values),
            "median_s": None if middle is None else middle / SECOND,
            "worst_s": None if worst is None else worst / SECOND,
        }


@dataclass
class Totals:
    """Sums over scored runs. A share is None if its denominator is 0.

    Attributes:
        labels, outside: labels that the runs cover, and labels that they do not cover.
        must_page, paged: labels with ``page: true``, and those of them whose own incident woke somebody in time.
        must_notice, noticed: labels with ``page: false``, and those of them with an incident of their own.
        pages: all pages except those for labels without ``page``.
        right_pages: pages by an incident's first epoch, for a label with ``page: true``.
        false_pages: pages by incidents that answer no label, or a label with ``page: false``.
        repeated_pages, double_pages: pages by later epochs, and by duplicates, for a label with ``page: true``.
        free_pages: pages for labels without ``page``.
        false_incidents: incidents that answer no label, whether they woke anybody or not.
        duplicates: incidents of a label besides its own.
        again: reopenings of a label's own incident.
        shared: labels without an own incident that lie within the incident of another label.
        answered: labels with an incident of their own.
        alone: answered labels that have exactly one incident, in one epoch.
        scope, severity, cause: (truth, found) -> count over answered labels. ``scope`` and ``severity`` also count
            missed labels, with None as found; ``severity`` leaves out labels that state no severity.
        ending: how the own incident ended -> count over answered labels.
        to_open, to_page: delays from the label's start, ms; ``to_page`` for labels with ``page: true``.
        to_page_by_severity: severity of the label -> ``to_page`` of the labels with this severity.
    """

    labels: int = 0
    outside: int = 0
    must_page: int = 0
    paged: int = 0
    must_notice: int = 0
    noticed: int = 0
    pages: int = 0
    right_pages: int = 0
    false_pages: int = 0
    repeated_pages: int = 0
    double_pages: int = 0
    free_pages: int = 0
    false_incidents: int = 0
    duplicates: int = 0
    again: int = 0
    shared: int = 0
    answered: int = 0
    alone: int = 0
    scope: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    severity: Counter[tuple[int, int | None]] = field(default_factory=Counter)
    cause: Counter[tuple[str, str]] = field(default_factory=Counter)
    ending: Counter[str] = field(default_factory=Counter)
    to_open: Delays = Delays(())
    to_page: Delays = Delays(())
    to_page_by_severity: dict[int, Delays] = field(default_factory=dict)

    @property
    def recall(self) -> float | None:
        """The share of labels that got the page or the incident which they require; None without such labels."""
        return _share(self.paged + self.noticed, self.must_page + self.must_notice)

    @property
    def precision(self) -> float | None:
        """The share of pages that were right; None without pages."""
        return _share(self.right_pages, self.pages)

    @property
    def scope_right(self) -> float | None:
        """The share of answered labels whose own incident had the label's scope."""
        return _diagonal(self.scope)

    @property
    def severity_right(self) -> float | None:
        """The share of answered labels with a severity whose own incident had this severity as its worst."""
        return _diagonal(self.severity)

    @property
    def cause_right(self) -> float | None:
        """The share of answered labels of a known kind that were found by a detector for that kind."""
        known = {pair: n for pair, n in self.cause.items() if pair[0] in _DETECTORS}
        right = sum(n for (kind, found), n in known.items() if _DETECTORS[kind] & set(found.split("+")))
        return _share(right, sum(known.values()))

    @property
    def alone_share(self) -> float | None:
        """The share of answered labels with exactly one incident, in one epoch."""
        return _share(self.alone, self.answered)

    @property
    def ended_well(self) -> float | None:
        """The share of answered labels whose incident resolved in time or faded, of those whose end the runs cover."""
        seen = sum(self.ending.values()) - self.ending["unknown"]
        return _share(sum(self.ending[one] for one in _GOOD_ENDINGS), seen)

    def as_json(self) -> dict[str, Any]:
        """Return the ``score`` object: shares from 0 to 1 with four digits, delays in seconds."""
        shares = ("recall", "precision", "scope_right", "severity_right", "cause_right", "alone_share")
        counts = (
            *("labels", "outside", "must_page", "paged", "must_notice", "noticed", "pages", "right_pages"),
            *("false_pages", "repeated_pages", "double_pages", "free_pages", "false_incidents"),
            *("duplicates", "again", "shared", "answered", "alone"),
        )
        return {
            "type": "score",
            **{name: _rounded(getattr(self, name)) for name in (*shares, "ended_well")},
            **{name: getattr(self, name) for name in counts},
            "to_open": self.to_open.as_json(),
            "to_page": self.to_page.as_json(),
            "to_page_by_severity": {str(s): d.as_json() for s, d in sorted(self.to_page_by_severity.items())},
            **{name: _confusion(getattr(self, name)) for name in ("scope", "severity", "cause")},
            "ending": dict(sorted(self.ending.items())),
        }


def totals(scores: Iterable[Score]) -> Totals:
    """Return the figures of all scored runs together."""
    out = Totals()
    answers: list[Answer] = []
    for score in scores:
        out.outside += len(score.outside)
        out.false_incidents += len(score.false)
        out.false_pages += _pages(score.false)
        answers += score.answers
    for answer in answers:
        _count(out, answer)
    out.pages = out.right_pages + out.false_pages + out.repeated_pages + out.double_pages
    woken = [answer for answer in answers if answer.label.page]
    out.to_open = Delays.of(answer.to_open for answer in answers)
    out.to_page = Delays.of(answer.to_page for answer in woken)
    for level in sorted({answer.label.severity for answer in woken if answer.label.severity is not None}):
        mine = [answer.to_page for answer in woken if answer.label.severity == level]
        out.to_page_by_severity[level] = Delays.of(mine)
    return out


def _count(out: Totals, answer: Answer) -> None:
    label, own = answer.label, answer.own
    out.labels += 1
    out.duplicates += len(answer.duplicates)
    out.again += len(answer.again)
    out.shared += answer.shared is not None
    out.must_page += label.page is True
    out.must_notice += label.page is False
    out.paged += label.page is True and bool(answer.met)
    out.noticed += label.page is False and bool(answer.met)
    first, later, beside = _pages([own] if own else []), _pages(answer.again), _pages(answer.duplicates)
    if label.page is None:
        out.free_pages += first + later + beside
    elif label.page:
        out.right_pages += first
        out.repeated_pages += later
        out.double_pages += beside
    else:
        out.false_pages += first + later + beside
    out.scope[label.scope, answer.scope] += 1
    if label.severity is not None:
        out.severity[label.severity, answer.severity] += 1
    if own is not None:
        out.answered += 1
        out.alone += answer.alone
        out.cause[label.kind, cause_of(answer)] += 1
        assert answer.ending is not None
        out.ending[answer.ending] += 1


def cause_of(answer: Answer) -> str:
    """Return the detectors that found a label's own incident, as ``outage+burn_rate``; "" if the label was missed."""
    epochs = (answer.own, *answer.again) if answer.own else ()
    return "+".join(sorted({cause for one in epochs for cause in one.causes}))


def _pages(outcomes: Sequence[Outcome]) -> int:
    return sum(len(outcome.pages) for outcome in outcomes)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _diagonal(confusion: Counter[Any]) -> float | None:
    found = {pair: n for pair, n in confusion.items() if pair[1] is not None}
    return _share(sum(n for (truth, got), n in found.items() if truth == got), sum(found.values()))


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _confusion(counted: Counter[Any]) -> list[dict[str, object]]:
    ordered = sorted(counted.items(), key=lambda item: (str(item[0][0]), str(item[0][1])))
    return [{"truth": truth, "found": found, "count": count} for (truth, found), count in ordered]
