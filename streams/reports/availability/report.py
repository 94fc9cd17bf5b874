"""Was what the SLA promises kept in a month, by method, provider and client, and what was not counted?

Availability is good / (good + bad) of completed sign-ins, by what is known of the month; the account that leaves out
what the SLA does not count is that of ``detectors.history.error_budget``. Latency is the share of completed requests
that were not slow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from detectors.arrays import Floats
from detectors.axes import ANY, named, overlaps
from detectors.history.error_budget import Account, Exclusion, scheduled
from detectors.history.history import History
from detectors.instants import MINUTE, format_instant
from detectors.policy.policy import Policy
from detectors.process.covers import Cover
from detectors.windows.counters import BAD, COUNTERS, GOOD, SLOW, TIMED
from sinks.wording import ScopeNames, capitalised, day_words, one_line
from streams.reports.announced import Announced
from streams.reports.availability.known import DayRecords, KnownMonth, known_by_days, known_by_history
from streams.reports.document import Calendar, Cell, Report, Section, Sentence, Table
from streams.reports.episodes import Episode
from streams.reports.spans import Span

__all__ = ["exclusions_of", "sla_report"]


def exclusions_of(episodes: Iterable[Episode], span: Span, env: str, now: int) -> list[tuple[Exclusion, str]]:
    """Return what credential providers caused in a span, as the SLA does not count it, with the incident's name."""
    found = []
    for one in episodes:
        if one.env != env or not one.csp_caused:
            continue
        ends = [at for at in (one.recovering_at, one.resolved_at) if at is not None]
        start, end = one.first_bad_at, min(ends, default=min(now, span.end))
        if start < span.end and end > span.start:
            found.append((Exclusion(one.scope, max(start, span.start), min(end, span.end), "csp"), one.name))
    return found


def sla_report(
    records: History | DayRecords,
    episodes: Sequence[Episode],
    policy: Policy,
    span: Span,
    *,
    now: int,
    said: Sequence[Announced] = (),
) -> Report:
    """Report on the promises of the SLA in an environment and a month.

    Args:
        records: five-minute records of the month, or those of its days if it is over; what they lack is told.
        episodes: incidents, for what credential providers have caused.
        policy: has the objectives and the maintenance.
        span: a calendar month.
        now: a month that is not over is reported up to this instant, ms.
        said: maintenance and corrections that people announced at run time.

    Raises:
        SourceError: a record of a day is none.
    """
    env, at = records.env, max(min(now, span.end), span.start + 1)
    caused = exclusions_of(episodes, span, env, now)
    left_out = [one.span for one in said if one.cover.counts]
    if isinstance(records, History):
        excluded = [*(one for one, _ in caused), *left_out]
        known = known_by_history(records, policy, span.start, at, excluded)
    else:
        known = known_by_days(records, policy, span.start, at)
    source = f"{known.topic}, {env}, {day_words(span.start)} to {day_words(at)}"
    report = Report(
        f"Service levels of {env}, {span.name}", Sentence(_coverage(known, span.start, at), source)
    )
    report.data = {
        "env": env,
        "start": format_instant(span.start),
        "end": format_instant(at),
        "coverage": known.coverage,
        "days_missing": known.missing(),
        "days_known_in_part": known.in_part(),
        "methods": {
            method: _method(known, method, policy)
            | _minutes(policy, f"{env}/{method}", (span.start, at), left_out)
            for method in policy.objectives
        },
    }
    promised = f"{source}; policy {policy.hash}, objectives"
    report.sections = [
        _promises(report.data, policy, promised),
        _budgets(known.accounts, policy, promised),
        _excluded(caused, said, policy, env, (span.start, at), source),
        _parts(known, policy, source),
        *(_calendar(known, method, policy, source) for method in policy.objectives),
        _consequences(known.accounts, episodes, policy, span, source),
    ]
    return report


def _coverage(known: KnownMonth, start: int, at: int) -> str:
    """Say of how much of the time, and of which days, anything is known."""
    text = f"The records cover {known.coverage:.1%} of the time from {day_words(start)} to {day_words(at)}."
    if missing := known.missing():
        text += f" Nothing is known of {_in_runs([day.date for day in known.days], set(missing))}."
    if in_part := known.in_part():
        days = (f"{date} ({share:.0%})" for date, share in in_part.items())
        text += f" Known in part: {', '.join(days)}."
    return text


def _in_runs(dates: Sequence[str], chosen: set[str]) -> str:
    """Name some dates of a month, those that follow one another as ``2026-11-01 to 2026-11-04``."""
    runs: list[list[str]] = []
    for before, date in pairwise(("", *dates)):
        if date in chosen:
            if before not in chosen:
                runs.append([])
            runs[-1].append(date)
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _ratio(counts: Floats) -> float | None:
    done = float(counts[GOOD] + counts[BAD])
    return float(counts[GOOD]) / done if done else None


def _in_time(counts: Floats) -> float | None:
    timed = float(counts[TIMED])
    return 1 - float(counts[SLOW]) / timed if timed else None


def _of(counts: Mapping[str, Floats], scope: str) -> Floats:
    """Return the counts (counter,) of a scope; zeros where there are none."""
    return counts.get(scope, np.zeros(len(COUNTERS)))


def _method(known: KnownMonth, method: str, policy: Policy) -> dict[str, Any]:
    scope = f"{known.env}/{method}"
    counts, promise, account = _of(known.counts, scope), policy.objectives[method], known.accounts.get(scope)
    measured = None if account is None else account.availability
    return {
        "availability_with_all": _ratio(counts),
        "availability": measured,
        "objective": promise.availability,
        "met": None if measured is None else measured >= promise.availability,
        "in_time_ratio": _in_time(counts),
        "latency_objective": promise.latency_target,
        "latency_threshold_ms": promise.latency_threshold_ms,
        "good": float(counts[GOOD]),
        "bad": float(counts[BAD]),
        "account": None if account is None else _account(account),
    }


def _minutes(
    policy: Policy, scope: str, span: tuple[int, int], left_out: Sequence[Exclusion]
) -> dict[str, float]:
    """Return the minutes of a scope that are left out of its account, by reason."""
    corrected = (one for one in left_out if one.why == "correction" and overlaps(one.scope, scope))
    return {
        "maintenance_minutes": _length(scheduled(policy, scope, *span, left_out)),
        "correction_minutes": _length(_within(one, span) for one in corrected),
    }


def _length(spans: Iterable[Exclusion]) -> float:
    return sum(one.end - one.start for one in spans) / MINUTE


def _within(one: Exclusion, span: tuple[int, int]) -> Exclusion:
    """Return the part of an exclusion that lies in a span (ms); it is empty where none does."""
    start = min(max(one.start, span[0]), span[1])
    return Exclusion(one.scope, start, max(min(one.end, span[1]), start), one.why)


def _account(account: Account) -> dict[str, Any]:
    """Return an account with its instants in RFC 3339, as all instants of a report are."""
    instants = {name: getattr(account, name) for name in ("at", "start", "end", "gone_at")}
    written = {name: None if at is None else format_instant(at) for name, at in instants.items()}
    return asdict(account) | written


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4%}"


def _promises(data: dict[str, Any], policy: Policy, source: str) -> Section:
    names, rows = ScopeNames(policy), list[tuple[Cell, ...]]()
    items: list[Any] = []
    for method, one in data["methods"].items():
        name = names.of("auth_method", method)
        rows += [
            (
                f"{name}: availability",
                _share(one["objective"]),
                _share(one["availability"]),
                _met(one["met"]),
            ),
            (f"{name}: availability, nothing left out", "", _share(one["availability_with_all"]), ""),
            (
                f"{name}: faster than {one['latency_threshold_ms'] / 1000:g} s",
                _share(one["latency_objective"]),
                _share(one["in_time_ratio"]),
                _met(
                    None if one["in_time_ratio"] is None else one["in_time_ratio"] >= one["latency_objective"]
                ),
            ),
        ]
        if one["availability"] is None:
            items.append(Sentence(f"No request of {name} completed, so that nothing is known of it.", source))
    return Section("What was promised", [Table(("", "objective", "measured", ""), rows, source), *items])


def _met(met: bool | None) -> str:
    return "not known" if met is None else "kept" if met else "missed"


def _budgets(found: Mapping[str, Account], policy: Policy, source: str) -> Section:
    names, items = ScopeNames(policy), list[Any]()
    for scope, one in found.items():
        gone = "it lasts for the month" if one.gone_at is None else f"it is gone on {day_words(one.gone_at)}"
        if one.left <= 0:
            gone = "it is overspent" if one.left < 0 else "nothing is left"
        left = max(one.left, 0.0)
        items.append(
            Sentence(
                f"{capitalised(names.words(scope))}: {one.bad:,.0f} of {one.allowed:,.0f} failures that the month"
                f" allows are used; {left:.0%} of the budget is left; as in the last hour, {gone}.",
                source,
            )
        )
    return Section(
        "Error budget", items or [Sentence("No request completed, so that no budget was used.", source)]
    )


def _excluded(
    caused: Sequence[tuple[Exclusion, str]],
    said: Sequence[Announced],
    policy: Policy,
    env: str,
    span: tuple[int, int],
    source: str,
) -> Section:
    """Tell each span that is not counted, and why, and the maintenance that is counted all the same."""
    names, found = ScopeNames(policy), dict[Exclusion, str]()
    left_out = [one.span for one in said if one.cover.counts]
    for method in policy.objectives:
        for one in scheduled(policy, f"{env}/{method}", *span, left_out):
            found[one] = f"scheduled maintenance{_announced_by(one, said)}"
    for told in said:
        part = _within(told.span, span)
        if told.span.why == "correction" and part.start < part.end:
            found[part] = f"correction{_by(told.cover)}"
    found |= {one: f"caused by the credential provider ({name})" for one, name in caused}
    rows = [_exclusion(one, why, names) for one, why in found.items()]
    rows.sort(key=lambda row: str(row[1]))
    items: list[Any] = []
    if rows:
        total = sum(float(str(row[3])) for row in rows)
        items = [
            Table(("what", "from", "to", "minutes", "why"), rows, source),
            Sentence(
                f"{len(rows)} spans, {total:,.1f} minutes in all, were left out of the account.", source
            ),
        ]
    for told in said:
        part = _within(told.span, span)
        if not told.cover.counts and part.start < part.end:
            minutes, what = round(_length([part]), 1), names.words(told.span.scope)
            items.append(
                Sentence(
                    f"{minutes:,} minutes of maintenance of {what} from {day_words(part.start)} are counted,"
                    f" as it was announced too late{_by(told.cover)}.",
                    f"incident-log, {told.cover.id}",
                )
            )
    return Section("Not counted", items or [Sentence("Nothing was left out of the account.", source)])


def _announced_by(one: Exclusion, said: Sequence[Announced]) -> str:
    """Say who announced maintenance that is left out, and why, where that was at run time; else ""."""
    for span, cover in said:
        if cover.counts and span.scope == one.scope and span.start <= one.start < span.end:
            return _by(cover)
    return ""


def _by(cover: Cover) -> str:
    return f" ({cover.id} by {one_line(cover.by)}: {one_line(cover.text).rstrip('. ')})"


def _exclusion(one: Exclusion, why: str, names: ScopeNames) -> tuple[Cell, ...]:
    minutes = round((one.end - one.start) / MINUTE, 1)
    return capitalised(names.words(one.scope)), day_words(one.start), day_words(one.end), minutes, why


def _parts(known: KnownMonth, policy: Policy, source: str) -> Section:
    """Tell providers and clients apart, for which nothing is promised."""
    names, rows = ScopeNames(policy), list[tuple[Cell, ...]]()
    for scope, counts in known.counts.items():
        if not 1 <= len([value for value in named(scope) if value != ANY]) <= 2:
            continue
        if counts[GOOD] + counts[BAD] > 0:
            done = int(counts[GOOD] + counts[BAD])
            rows.append(
                (capitalised(names.words(scope)), done, _share(_ratio(counts)), _share(_in_time(counts)))
            )
    rows.sort(key=lambda row: str(row[0]))
    columns = ("scope", "completed", "succeeded", "fast enough")
    if not rows:
        return Section("By provider and client", [Sentence("Nothing completed.", source)])
    return Section("By provider and client", [Table(columns, rows, source)])


def _calendar(known: KnownMonth, method: str, policy: Policy, source: str) -> Section:
    name, scope = ScopeNames(policy).of("auth_method", method), f"{known.env}/{method}"
    days = tuple((day.date, _ratio(_of(day.counts, scope))) for day in known.days)
    goal = policy.objectives[method].availability
    title = f"{name}: share of sign-ins that succeeded, by day, nothing left out (objective {goal:.1%})"
    return Section(f"{name} day by day", [Calendar(title, days, goal, source)])


def _consequences(
    found: Mapping[str, Account], episodes: Sequence[Episode], policy: Policy, span: Span, source: str
) -> Section:
    names, items = ScopeNames(policy), list[Any]()
    for scope, one in found.items():
        promise = policy.objectives[scope.split("/")[1]].availability
        if one.availability is None or one.availability >= promise:
            continue
        over = one.bad - (1 - promise) * (one.good + one.bad)
        items.append(
            Sentence(
                f"{capitalised(names.words(scope))} missed its objective by {over:,.0f} failures: a breach of the"
                " SLA, which is told to the stakeholders, with the post-mortems of the incidents below.",
                source,
            )
        )
        own = [e for e in episodes if span.holds(e.opened_at) and overlaps(scope, e.scope)]
        for e in sorted(own, key=lambda e: -e.users)[:10]:
            items.append(
                Sentence(
                    f"{e.name}: {capitalised(names.words(e.scope))}, severity {e.peak_severity}, up to {e.users:,}"
                    f" people an hour ({e.basis}), opened {day_words(e.opened_at)}.",
                    f"incident-log, {e.incident}",
                )
            )
    if not items:
        items = [Sentence("No objective of availability was missed.", source)]
    return Section("What follows", items)
