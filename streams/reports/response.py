"""How quickly were incidents of a month detected, acknowledged and resolved, and whom did they wake when?

Definitions, which the report repeats: the time to *detect* runs from an incident's first failing event to its
opening; the time to *acknowledge* from its opening to its first acknowledgement, of incidents that somebody has
acknowledged; the time to *resolve* from its opening to its resolution, of those that are resolved. An *interruption* is
an alert that wakes somebody (PagerDuty's levels critical and error). A response time is *kept* if the incident was
acknowledged, or resolved, before it was over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from detectors.instants import SECOND, format_duration, format_instant
from detectors.lifecycle.response_times import calendar
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, capitalised, day_words, duration_words
from streams.reports.document import Bars, Cell, Report, Section, Sentence, Table
from streams.reports.episodes import Episode, Wake
from streams.reports.spans import Span, local

__all__ = ["response_report"]

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: The three times that are reported: name, and what they measure.
_TIMES = (
    ("detect", "from the first failing event to the opening"),
    ("acknowledge", "from the opening to the first acknowledgement, of incidents that were acknowledged"),
    ("resolve", "from the opening to the resolution, of incidents that are resolved"),
)
#: The most rows of a table of single incidents.
_MOST_ROWS = 500


@dataclass(frozen=True)
class _Figures:
    """The figures of some episodes; times in ms."""

    episodes: Sequence[Episode]
    wakes: Sequence[Wake]
    times: dict[str, list[int]]

    @classmethod
    def of(cls, episodes: Iterable[Episode], span: Span) -> _Figures:
        every = list(episodes)
        own = [one for one in every if span.holds(one.opened_at)]
        times = {
            "detect": [one.opened_at - one.first_bad_at for one in own if one.epoch == 0],
            "acknowledge": [one.acknowledged_at - one.opened_at for one in own if one.acknowledged_at],
            "resolve": [one.resolved_at - one.opened_at for one in own if one.resolved_at],
        }
        wakes = [wake for one in every for wake in one.wakes if span.holds(wake.at)]
        return cls(own, sorted(wakes, key=lambda wake: wake.at), times)

    @property
    def acknowledged(self) -> int:
        return sum(one.acknowledged_at is not None for one in self.episodes)

    def as_data(self) -> dict[str, Any]:
        count = len(self.episodes)
        return {
            "incidents": count,
            "acknowledged": self.acknowledged,
            "acknowledged_share": self.acknowledged / count if count else None,
            "interruptions": len(self.wakes),
            **{
                f"time_to_{name}_seconds": {
                    "of": len(values),
                    "mean": fmean(values) / SECOND if values else None,
                    "median": median(values) / SECOND if values else None,
                }
                for name, values in self.times.items()
            },
        }


def response_report(
    episodes: Sequence[Episode], policy: Policy, span: Span, *, env: str, now: int, known_from: int | None
) -> Report:
    """Report on the incidents of an environment that opened in a span.

    Args:
        episodes: all that are known, also of the time before.
        policy: has the response times, the time zone and the business hours.
        span: the month, or another time.
        env: only incidents of this environment count.
        now: incidents that are still open are judged up to this instant, ms.
        known_from: the first instant (ms) of which the log tells; None if it is empty.
    """
    own = [one for one in episodes if one.env == env]
    found, earlier = _Figures.of(own, span), span.before(policy.time_zone)
    before = _Figures.of(own, earlier)
    log = f"incident-log, {env}, {day_words(span.start)} to {day_words(span.end)}"
    report = Report(
        f"Response to incidents in {env}, {span.name}",
        Sentence(_counted(found), log),
    )
    report.data = {
        "env": env,
        "start": format_instant(span.start),
        "end": format_instant(span.end),
        **found.as_data(),
        "before": before.as_data(),
        **_interrupted(found.wakes, policy),
        "compliance": _compliance(found.episodes, policy, min(now, span.end)),
        "by_severity": {
            str(severity): _Figures.of([one for one in own if one.peak_severity == severity], span).as_data()
            for severity in (1, 2, 3)
        },
        "by_scope": {
            scope: _Figures.of([one for one in own if one.scope == scope], span).as_data()
            for scope in sorted({one.scope for one in found.episodes})
        },
    }
    until = min(now, span.end)
    report.sections = [
        _times(found, before, earlier, log, known_from),
        _kept(found.episodes, policy, until, log),
        _interruptions(report.data, policy, log),
        _grouped(report.data, policy, log),
        _listed(found.episodes, policy, log),
    ]
    return report


def _counted(found: _Figures) -> str:
    count = len(found.episodes)
    if not count:
        return "No incident opened."
    return (
        f"{_number(count, 'incident')} opened; {found.acknowledged} of them ({found.acknowledged / count:.0%}) were"
        f" acknowledged; {_number(len(found.wakes), 'alert')} woke somebody."
    )


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _words(millis: float | None) -> str:
    """A time, to the second below an hour: ``2 min 04 s``."""
    if millis is None:
        return "-"
    seconds = round(millis / SECOND)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return duration_words(seconds * SECOND)


def _average(of: Callable[[Sequence[int]], float], values: Sequence[int]) -> str:
    return _words(of(values) if values else None)


def _times(found: _Figures, before: _Figures, earlier: Span, log: str, known_from: int | None) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (
            f"time to {name}",
            len(found.times[name]),
            _average(fmean, found.times[name]),
            _average(median, found.times[name]),
            _average(fmean, before.times[name]),
            _average(median, before.times[name]),
        )
        for name, _ in _TIMES
    ]
    columns = ("", "incidents", "mean", "median", f"mean, {earlier.name}", f"median, {earlier.name}")
    items: list[Any] = [Table(columns, rows, log)]
    items += [
        Sentence(f"The time to {name} runs {text}.", "definition of this report") for name, text in _TIMES
    ]
    if known_from is None or known_from > earlier.start:
        since = "holds nothing" if known_from is None else f"begins on {day_words(known_from)}"
        items.append(
            Sentence(
                f"The log {since}, so that {earlier.name} is not known in full: figures of it may be too low.",
                log,
            )
        )
    return Section("Times", items)


def _compliance(episodes: Sequence[Episode], policy: Policy, now: int) -> dict[str, Any]:
    def kept(own: Sequence[Episode], breach: Callable[[Episode], int | None]) -> dict[str, Any]:
        late = [one.name for one in own if breach(one) is not None]
        return {
            "of": len(own),
            "kept": len(own) - len(late),
            "share": 1 - len(late) / len(own) if own else None,
            "late": late,
        }

    found = {
        f"severity_{severity}": kept(
            [one for one in episodes if one.peak_severity == severity],
            lambda one: one.breach_at(policy, now),
        )
        for severity in (1, 2, 3)
    }
    alerted = [one for one in episodes if one.alerted]
    return {**found, "alert_target": kept(alerted, lambda one: one.alert_breach_at(policy, now))}


def _kept(episodes: Sequence[Episode], policy: Policy, now: int, log: str) -> Section:
    promised = {
        severity: format_duration(response) if isinstance(response, int) else str(response).replace("_", " ")
        for severity, response in policy.lifecycle.response.items()
    }
    named = {f"severity_{severity}": f"severity {severity}" for severity in (1, 2, 3)}
    named["alert_target"] = "any alert"
    promises = {f"severity_{severity}": promised[severity] for severity in (1, 2, 3)}
    promises["alert_target"] = format_duration(policy.lifecycle.alert_target)
    rows: list[tuple[Cell, ...]] = []
    for name, one in _compliance(episodes, policy, now).items():
        share = "-" if one["share"] is None else f"{one['share']:.0%}"
        late = ", ".join(one["late"][:20]) or "none"
        rows.append((named[name], promises[name], one["of"], one["kept"], share, late))
    columns = ("", "promised", "incidents", "kept", "share", "late")
    return Section(
        "Response times",
        [
            Table(
                columns, rows, f"{log}; policy {policy.hash}, lifecycle.response and lifecycle.alert_target"
            ),
            Sentence(
                "A response time is kept if the incident was acknowledged, or resolved, before it was over; the"
                " severity at each instant decides which one applies.",
                "definition of this report",
            ),
        ],
    )


def _interrupted(wakes: Sequence[Wake], policy: Policy) -> dict[str, Any]:
    hours, days = Counter[int](), Counter[int]()
    for wake in wakes:
        at = local(wake.at, policy.time_zone)
        hours[at.hour] += 1
        days[at.weekday()] += 1
    business = calendar(policy)
    return {
        "interruptions_by_hour": [hours[hour] for hour in range(24)],
        "interruptions_by_weekday": [days[day] for day in range(7)],
        "interruptions_outside_business_hours": sum(not business.is_open(wake.at) for wake in wakes),
    }


def _interruptions(data: dict[str, Any], policy: Policy, log: str) -> Section:
    outside, count = data["interruptions_outside_business_hours"], data["interruptions"]
    by_hour, by_day = data["interruptions_by_hour"], data["interruptions_by_weekday"]
    where = f"{log}; hours in {policy.time_zone}"
    items: list[Any] = [
        Sentence(f"{_number(count, 'alert')} woke somebody, {outside} of them outside business hours.", where)
    ]
    if count:
        labels = tuple(f"{hour:02d}" for hour in range(24))
        items += [
            Bars("Interruptions by hour of the day", labels, tuple(map(float, by_hour)), where),
            Bars("Interruptions by weekday", _WEEKDAYS, tuple(map(float, by_day)), where),
        ]
    return Section("Interruptions", items)


def _grouped(data: dict[str, Any], policy: Policy, log: str) -> Section:
    names = ScopeNames(policy)
    groups = [
        ("by severity", [(f"severity {key}", one) for key, one in data["by_severity"].items()]),
        ("by scope", [(capitalised(names.words(key)), one) for key, one in data["by_scope"].items()]),
    ]
    columns = (
        "",
        "incidents",
        "acknowledged",
        "interruptions",
        *(f"to {name}, median" for name, _ in _TIMES),
    )

    def row(name: str, one: dict[str, Any]) -> tuple[Cell, ...]:
        medians = (one[f"time_to_{of}_seconds"]["median"] for of, _ in _TIMES)
        times = (_words(None if value is None else value * SECOND) for value in medians)
        return (name, one["incidents"], one["acknowledged"], one["interruptions"], *times)

    tables = [Table(columns, [row(*of) for of in rows], log, title=name) for name, rows in groups if rows]
    return Section("By severity and scope", tables)


def _listed(episodes: Sequence[Episode], policy: Policy, log: str) -> Section:
    names = ScopeNames(policy)
    rows: list[tuple[Cell, ...]] = []
    for one in episodes[:_MOST_ROWS]:
        answered = None if one.acknowledged_at is None else one.acknowledged_at - one.opened_at
        resolved = None if one.resolved_at is None else one.resolved_at - one.opened_at
        scope = capitalised(names.words(one.scope))
        opened = day_words(one.opened_at)
        rows.append(
            (one.name, scope, one.peak_severity, opened, _words(answered), _words(resolved), one.users)
        )
    columns = (
        "incident",
        "what",
        "peak severity",
        "opened",
        "acknowledged after",
        "resolved after",
        "people an hour",
    )
    items: list[Any] = [Table(columns, rows, log)]
    if len(episodes) > _MOST_ROWS:
        items.append(Sentence(f"{len(episodes) - _MOST_ROWS:,} more are not listed.", log))
    return Section("Incidents", items)
