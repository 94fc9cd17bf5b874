"""What happened in one incident, to whom, how was it found and answered, and what is left to do?

Every sentence is made from the incident log; what a person must add is asked for as an open question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from detectors.instants import SECOND, format_duration, format_instant
from detectors.lifecycle.response_times import alert_deadline, deadline
from detectors.policy.policy import Policy
from detectors.process.deploys import Deploy, deploy_words, shown_with
from sinks.wording import ScopeNames, capitalised, common_words, day_words, duration_words
from streams.records.log_lines import Line
from streams.reports.conduct import conduct_data, conduct_section, judged_conduct, open_conduct
from streams.reports.document import Cell, Item, Report, Section, Sentence, Table, Trend
from streams.reports.episodes import Episode, earlier_like

__all__ = ["postmortem_report"]

#: Kinds of lines that are told in the timeline only where they say something new.
_ROUTINE = ("update",)
_MOST_LINES = 300


def postmortem_report(
    episodes: Sequence[Episode],
    others: Sequence[Episode],
    policy: Policy,
    *,
    now: int,
    deploys: Sequence[Deploy] = (),
) -> Report:
    """Report on one incident.

    Args:
        episodes: its episodes, in order; one at least.
        others: all other episodes that are known.
        policy: has the response times and names.
        now: an incident that is still open is told up to this instant, ms.
        deploys: what went into use, of any scope and time.
    """
    names = ScopeNames(policy)
    first, last = episodes[0], episodes[-1]
    log = f"incident-log, {first.incident}"
    what = capitalised(names.words(last.scope))
    state = "is not resolved" if last.resolved_at is None else f"was resolved {day_words(last.resolved_at)}"
    report = Report(
        f"Post-mortem of {first.incident}: {what}",
        Sentence(
            f"{what} failed from {day_words(first.first_bad_at)}; the incident opened {day_words(first.opened_at)}"
            f" and {state}.",
            log,
        ),
    )
    report.data = _data(episodes, policy, now)
    report.sections = [
        _summary(episodes, names, log),
        _impact(episodes, names, log, now),
        _timeline(episodes, names, log, _beside(episodes, deploys, now)),
        _response(episodes, policy, log, now),
        conduct_section(episodes, log),
        _common(episodes, log),
        _judged(episodes, policy, log, now),
        _similar(episodes, others, names),
        _open(episodes, log),
    ]
    return report


def _data(episodes: Sequence[Episode], policy: Policy, now: int) -> dict[str, Any]:
    first, last = episodes[0], episodes[-1]
    return {
        "incident": first.incident,
        "env": first.env,
        "scope": last.scope,
        "scopes": [scope for one in episodes for _, scope in one.scopes],
        "epochs": len(episodes),
        "began": format_instant(first.first_bad_at),
        "opened": format_instant(first.opened_at),
        "acknowledged": None if first.acknowledged_at is None else format_instant(first.acknowledged_at),
        "acknowledged_by": first.acknowledged_by,
        "declared": _instant(next((e.declared_at for e in episodes if e.declared_at is not None), None)),
        "resolved": _instant(last.resolved_at),
        "peak_severity": min(one.peak_severity for one in episodes),
        "users_impacted": max(one.users for one in episodes),
        "causes": sorted({cause for one in episodes for cause in one.causes}),
        "common": msgspec.to_builtins(last.common),
        "interruptions": sum(len(one.wakes) for one in episodes),
        "time_to_detect_seconds": (first.opened_at - first.first_bad_at) / SECOND,
        "response_time_kept": all(one.breach_at(policy, now) is None for one in episodes),
        "alert_target_kept": all(one.alert_breach_at(policy, now) is None for one in episodes),
        **conduct_data(episodes),
    }


def _unpointed(text: str) -> str:
    """Return a sentence without its full stop, so that it can end another one."""
    return text.rstrip(". ")


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _at(line: Line) -> str:
    return f"incident-log, {line.incident}, {line.at}, {line.kind}"


def _summary(episodes: Sequence[Episode], names: ScopeNames, log: str) -> Section:
    first = episodes[0]
    items: list[Item] = []
    opening = first.lines[0]
    if opening.sentence or opening.reason:
        items.append(
            Sentence(f"It opened because: {_unpointed(opening.sentence or opening.reason)}.", _at(opening))
        )
    widest = min((one for e in episodes for one in e.lines), key=lambda line: (line.severity, line.instant))
    items.append(Sentence(f"The worst severity was {widest.severity}.", _at(widest)))
    for one in episodes[1:]:
        items.append(Sentence(f"It opened again {day_words(one.opened_at)}.", _at(one.lines[0])))
    return Section("Summary", items)


def _impact(episodes: Sequence[Episode], names: ScopeNames, log: str, now: int) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for one in episodes:
        ends = [at for at, _ in one.scopes[1:]] + [one.recovering_at or one.resolved_at or now]
        for (since, scope), end in zip(one.scopes, ends, strict=True):
            begin = one.first_bad_at if since == one.opened_at else since
            own = [line for line in one.lines if line.scope == scope]
            most = max(own, key=lambda line: line.users_impacted, default=None)
            rows.append(
                (
                    capitalised(names.words(scope)),
                    day_words(begin),
                    round(max(end - begin, 0) / 60_000, 1),
                    0 if most is None else most.users_impacted,
                    "" if most is None else most.basis,
                )
            )
    columns = ("what failed", "from", "minutes", "most people an hour", "basis")
    items: list[Item] = [Table(columns, rows, log)]
    points, began = dict[float, float](), episodes[0].first_bad_at
    for line in (line for one in episodes for line in one.lines if line.counts is not None):
        counts = line.counts or {}
        done = counts.get("good", 0) + counts.get("bad", 0)
        if done:
            points[(line.instant - began) / SECOND] = counts.get("good", 0) / done
    marks = [(one.opened_at, "opened") for one in episodes]
    marks += [(one.acknowledged_at, "acknowledged") for one in episodes if one.acknowledged_at is not None]
    marks += [(one.resolved_at, "resolved") for one in episodes if one.resolved_at is not None]
    if len(points) > 1:
        told = tuple(((at - began) / SECOND, words) for at, words in marks)
        title = "Share of sign-ins that succeeded in the five minutes before each line of the log"
        items.append(Trend(title, tuple(points.items()), told, log, "percent"))
    return Section("Impact", items)


def _beside(episodes: Sequence[Episode], deploys: Sequence[Deploy], now: int) -> list[Deploy]:
    """Return the deploys that an incident may have to do with."""
    first, last = episodes[0], episodes[-1]
    end = now if last.resolved_at is None else last.resolved_at
    return [one for one in deploys if shown_with(one, last.scope, first.first_bad_at, end)]


def _timeline(episodes: Sequence[Episode], names: ScopeNames, log: str, deploys: Sequence[Deploy]) -> Section:
    """Tell what happened in the order in which it happened, which may not be that of the log."""
    began = episodes[0].first_bad_at
    found: list[tuple[int, str, str]] = [(began, "first failing event", "")]
    found += [(one.at, f"deploy by {one.by}", deploy_words(one, began)) for one in deploys]
    lines = [line for one in episodes for line in one.lines if line.kind not in _ROUTINE]
    for line in lines:
        found.append((line.happened, *_told(line, names)))
    found += [
        (wake.at, "somebody was woken", f"{wake.level}: {wake.dedup_key}")
        for e in episodes
        for wake in e.wakes
    ]
    found.sort(key=lambda one: one[0])
    rows = [(format_instant(at), _offset(at - began), what, words) for at, what, words in found[:_MOST_LINES]]
    items: list[Item] = [Table(("at", "offset", "what", ""), rows, log)]
    if len(found) > _MOST_LINES:
        items.append(Sentence(f"{len(found) - _MOST_LINES:,} later lines are not listed.", log))
    return Section("Timeline", items)


def _told(line: Line, names: ScopeNames) -> tuple[str, str]:
    by = f" by {line.by}" if line.by else ""
    match line.kind:
        case "opened" | "reopened":
            return (
                line.kind,
                f"{names.words(line.scope)}, severity {line.severity}: {line.sentence or line.reason}",
            )
        case "severity":
            return f"severity {line.severity}", line.reason
        case "scope":
            return f"scope {line.scope}", line.reason
        case "note":
            return f"note{by}", line.reason
    return f"{line.kind.replace('_', ' ')}{by}", line.reason


def _offset(millis: int) -> str:
    seconds = abs(millis) // SECOND
    hours, minutes = divmod(seconds // 60, 60)
    sign = "-" if millis < 0 else "+"
    return f"{sign}{hours}:{minutes:02d}:{seconds % 60:02d}"


def _response(episodes: Sequence[Episode], policy: Policy, log: str, now: int) -> Section:
    first = episodes[0]
    before = duration_words(first.opened_at - first.first_bad_at)
    items: list[Item] = [
        Sentence(
            f"The first event failed {before} before the incident opened.",
            _at(first.lines[0]),
        )
    ]
    for one in episodes:
        items += _answers(one, policy, log, now)
    return Section("Detection and response", items)


def _answers(one: Episode, policy: Policy, log: str, now: int) -> Iterator[Item]:
    if one.acknowledged_at is None:
        yield Sentence(f"{one.name}: nobody acknowledged it.", log)
    else:
        after, who = duration_words(one.acknowledged_at - one.opened_at), one.acknowledged_by or "somebody"
        yield Sentence(f"{one.name}: {who} acknowledged it {after} after it opened.", log)
    if one.declared_at is not None:
        after = duration_words(one.declared_at - one.opened_at)
        yield Sentence(f"{one.name}: {one.declared_by} declared it {after} after it opened.", log)
    due = deadline(one.opened_at, one.peak_severity, policy)
    target = alert_deadline(one.opened_at, policy)
    clocks = (
        (f"the response time of severity {one.peak_severity}", due, one.breach_at(policy, now)),
        ("the target for any alert", target, one.alert_breach_at(policy, now)),
    )
    for name, until, breach in clocks if one.alerted else clocks[:1]:
        kept = "was kept" if breach is None else f"was missed {day_words(breach)}"
        clock = f"{log}; policy {policy.hash}, lifecycle"
        yield Sentence(f"{one.name}: {name} (due {day_words(until)}) {kept}.", clock)
    if one.resolved_at is not None:
        after = duration_words(one.resolved_at - one.opened_at)
        by = f" by {one.resolved_by}" if one.resolved_by else ""
        yield Sentence(
            f"{one.name}: it was resolved{by} {after} after it opened: {_unpointed(one.resolved_reason)}.",
            log,
        )


def _common(episodes: Sequence[Episode], log: str) -> Section:
    last = next((one for one in reversed(episodes) if one.common), None)
    if last is None:
        return Section(
            "What the failures had in common", [Sentence("No value stood out among those who failed.", log)]
        )
    told = next(line for line in reversed(last.lines) if line.common)
    return Section("What the failures had in common", [Sentence(f"{common_words(last.common)}.", _at(told))])


def _judged(episodes: Sequence[Episode], policy: Policy, log: str, now: int) -> Section:
    well, badly = list[str](), list[str]()
    for one in episodes:
        took = one.opened_at - one.first_bad_at
        if one.epoch == 0:
            (well if took <= 60_000 else badly).append(f"It was detected after {duration_words(took)}.")
        target = f"target of {format_duration(policy.lifecycle.alert_target)}"
        clocks = (("response time", one.breach_at(policy, now)), (target, one.alert_breach_at(policy, now)))
        for name, breach in clocks if one.alerted else clocks[:1]:
            (well if breach is None else badly).append(
                f"{one.name}: the {name} was {'kept' if breach is None else 'missed'}."
            )
        if len(one.wakes) > 1:
            badly.append(f"{one.name}: {len(one.wakes)} alerts woke somebody.")
        relapses = sum(line.kind == "relapsed" for line in one.lines)
        if relapses:
            badly.append(f"{one.name}: it failed again {relapses} times before it had recovered.")
    if len(episodes) > 1:
        badly.append(f"It opened {len(episodes)} times.")
    conducted_well, conducted_badly = judged_conduct(episodes, policy)
    well, badly = well + conducted_well, badly + conducted_badly
    items: list[Item] = [Sentence(f"Well: {text}", log) for text in well]
    items += [Sentence(f"Badly: {text}", log) for text in badly]
    return Section("What went well, and what badly", items)


def _similar(episodes: Sequence[Episode], others: Sequence[Episode], names: ScopeNames) -> Section:
    alike = earlier_like(episodes, others)
    log = "incident-log"
    if not alike:
        return Section(
            "Similar incidents", [Sentence("The log has no earlier incident of this scope and cause.", log)]
        )
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            day_words(one.opened_at),
            one.peak_severity,
            "" if one.resolved_at is None else duration_words(one.resolved_at - one.opened_at),
            one.resolved_reason,
        )
        for one in alike
    ]
    columns = ("incident", "opened", "peak severity", "lasted", "how it ended")
    return Section("Similar incidents", [Table(columns, rows, log)])


def _open(episodes: Sequence[Episode], log: str) -> Section:
    first, last = episodes[0], episodes[-1]
    asked = ["What was the cause, and which change prevents it? The log knows scopes and symptoms alone."]
    if first.acknowledged_at is None:
        asked.append("Why did nobody acknowledge it?")
    if last.resolved_at is None:
        asked.append("It is not resolved: what is still to do?")
    elif last.resolved_by:
        asked.append(f"{last.resolved_by} resolved it: what showed that it was over?")
    if not any(one.notes for one in episodes):
        asked.append("Nobody left a note: what was done, and by whom?")
    asked += open_conduct(episodes)
    return Section("Open questions", [Sentence(text, log) for text in asked])
