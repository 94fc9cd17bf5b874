"""What changed in an incident, why, and who was notified, section by section?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detectors.incidents import Command, error_words
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.process.deploys import Deploy, deploy_words
from sinks.wording import ScopeNames, change_title, common_words, duration_words, ended, one_line
from streams.explain.case_file import CaseFile
from streams.explain.evidence import measured, scope_decision, severity_figure
from streams.explain.plot import Happening
from streams.records.log_lines import Line

__all__ = ["ReportSection", "after", "clock", "figures", "findings", "happenings", "legend", "sections"]

#: Changes for which it is said why there is an incident, and why on this scope.
_FOUND = frozenset({"opened", "reopened", "cause", "scope", "relapsed"})
#: Changes for which the figure behind the severity is said.
_GRADED = frozenset({"opened", "reopened", "severity"})
_SINKS = {"pagerduty": "PagerDuty", "datadog": "Datadog", "slack": "Slack"}
_MARKS = {
    "opened": "O",
    "reopened": "O",
    "severity": "S",
    "scope": "W",
    "acknowledged": "A",
    "declared": "D",
    "recovering": "R",
    "relapsed": "B",
    "resolved": "E",
}
_MARKED = {
    "O": "opened",
    "P": "paged",
    "S": "severity",
    "W": "scope",
    "A": "acknowledged",
    "D": "declared",
    "R": "recovering",
    "B": "fails again",
    "E": "resolved",
}


@dataclass(frozen=True)
class ReportSection:
    """The section about one change. ``paragraphs``: (label, text)."""

    at: int
    kind: str
    title: str
    paragraphs: tuple[tuple[str, str], ...]


def sections(case_file: CaseFile) -> Iterator[ReportSection]:
    """All changes, in order, and the deploys beside them."""
    before: Line | None = None
    names, deploys = ScopeNames(case_file.policy), case_file.deploys_beside
    for line in case_file.lines:
        while deploys and deploys[0].at <= line.instant:
            yield _deploy(deploys.pop(0), case_file)
        paragraphs = [*_why(line, names), *_graded(line, before, case_file)]
        if line.kind != "severity" and (line.reason != line.sentence or not paragraphs):
            paragraphs.insert(0, ("", line.reason))
        paragraphs += [*_counted(line), *_in_common(line, before)]
        if notified := _notified(line, case_file):
            paragraphs.append(("notified", notified))
        # a note may hold anything, also what would move the cursor of a terminal
        shown = tuple((name, one_line(words)) for name, words in paragraphs if words)
        yield ReportSection(line.instant, line.kind, one_line(_title(line, before, names)), shown)
        if line.kind != "refused":
            before = line
    yield from (_deploy(one, case_file) for one in deploys)


def _deploy(deploy: Deploy, case_file: CaseFile) -> ReportSection:
    return ReportSection(deploy.at, "deploy", one_line(deploy_words(deploy, case_file.began)), ())


def _title(line: Line, before: Line | None, names: ScopeNames) -> str:
    number = f" (epoch {line.epoch})" if line.epoch else ""
    severity = f"severity {line.severity}"
    match line.kind:
        case "opened" | "reopened":
            return f"{line.kind.capitalize()}{number}: {names.words(line.scope)} ({line.scope}), {severity}"
        case "severity":
            was = f"from {before.severity} " if before is not None else ""
            return f"Severity {was}to {line.severity}"
        case "scope":
            was = f"from {before.scope} " if before is not None else ""
            return f"Scope {was}to {line.scope}"
        case "cause":
            return f"More than a surge or slowness now: {', '.join(line.causes)}"
    return change_title(line.kind, line.by, line.asked)


def _why(line: Line, names: ScopeNames) -> Iterator[tuple[str, str]]:
    if line.kind not in _FOUND:
        return
    for evidence in line.evidence:
        name = evidence.detector.replace("_", " ")
        yield name, " ".join(filter(None, (ended(evidence.sentence), measured(evidence))))
    if decision := scope_decision(line, names):
        yield "scope", decision


def _graded(line: Line, before: Line | None, case_file: CaseFile) -> Iterator[tuple[str, str]]:
    if line.kind == "refused":
        return
    changed = before is not None and line.severity != before.severity
    if line.kind in _GRADED or changed:
        yield "severity", severity_figure(line, case_file.policy)


def _counted(line: Line) -> Iterator[tuple[str, str]]:
    counts = line.counts
    if counts is None or line.kind not in (*_GRADED, "recovering", "resolved"):
        return
    good, bad = counts["good"], counts["bad"]
    succeeded = f"{good / (good + bad):.1%} of {good + bad:,}" if good + bad else "none"
    people = counts["users_impacted"]
    yield (
        "counts",
        f"{succeeded} sign-ins succeeded in the {duration_words(counts['window'])} before"
        f" ({good:,} good, {bad:,} bad, {counts['excluded']:,} excluded); {people:,}"
        f" {'person' if people == 1 else 'people'} failed.",
    )


def _in_common(line: Line, before: Line | None) -> Iterator[tuple[str, str]]:
    """What those who fail have in common, where this has not been told with the change before."""
    told = {(one.field, one.value) for one in before.common} if before is not None else set()
    if {(one.field, one.value) for one in line.common} - told:
        yield "in common", f"{common_words(line.common)}."


def _notified(line: Line, case_file: CaseFile) -> str:
    """The notifications that this kind of change made at this T."""
    if case_file.commands is None:
        return ""
    parts = []
    mine = [
        c
        for c in case_file.commands
        if c.at == line.instant and c.kind == line.kind and c.epoch == line.epoch
    ]
    for sink in dict.fromkeys(command.sink for command in mine):
        actions = [_action(command, case_file) for command in mine if command.sink == sink]
        parts.append(f"{_SINKS.get(sink, sink)}: {', '.join(actions)}")
    return "; ".join(parts)


def _action(command: Command, case_file: CaseFile) -> str:
    level = "" if command.level == "info" else f" ({command.level})"
    return f"{command.action.replace('_', ' ')}{level}{_became(command, case_file)}"


def _became(command: Command, case_file: CaseFile) -> str:
    """What became of a command; "" where deliveries are unknown."""
    if case_file.receipts is None:
        return ""
    receipt = case_file.receipts.get(command.id)
    if receipt is None:
        return " [pending]"
    outcome = "refused" if receipt.outcome == "dead" else receipt.outcome
    why = f": {receipt.reason}" if receipt.reason else ""
    return f" [{outcome} after {after(receipt.at - command.at)}{why}]"


def clock(at: int) -> str:
    """``15:05:07`` of an instant in ms, UTC."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%H:%M:%S")


def after(millis: int) -> str:
    """``4 s``, ``14 min 55 s``, ``2 h 5 min``."""
    sign, millis = ("-" if millis < 0 else ""), abs(millis)
    if MINUTE <= millis < HOUR and millis % MINUTE >= SECOND:
        return f"{sign}{millis // MINUTE} min {millis % MINUTE // SECOND} s"
    return sign + duration_words(millis)


def findings(case_file: CaseFile) -> Iterator[tuple[str, str]]:
    """What fired: on scopes that the incident was on, each with what it said first, and in short what fired beside."""
    own = {line.scope for line in case_file.changes}
    beside: dict[str, list[str]] = {}
    for one in case_file.fired or ():
        name = one.detector.replace("_", " ")
        if one.scope not in own:
            beside.setdefault(name, []).append(f"{one.scope} ({clock(one.begin)})")
            continue
        until = "to the end" if one.end is None else f"for {after(one.end - one.begin)}"
        spells = until if one.times == 1 else f"{one.times} times, {until} from first to last"
        yield clock(one.begin), f"{name} on {one.scope}, {spells}: {one.sentence}"
    for name, places in beside.items():
        yield "", f"{name} beside it on {', '.join(places)}"


def happenings(case_file: CaseFile) -> list[Happening]:
    """What the plot marks; the first page of each epoch beside the changes."""
    out = [
        Happening(line.instant, _MARKS[line.kind], line.kind)
        for line in case_file.lines
        if line.kind in _MARKS
    ]
    for epoch in {line.epoch for line in case_file.changes}:
        pages = [c.at for c in _pages(case_file) if c.epoch == epoch]
        if pages:
            out.append(Happening(min(pages), "P", "paged"))
    return sorted(out, key=lambda one: (one.at, one.letter != "O"))


def legend(marks: Sequence[Happening]) -> str:
    """What the letters stand for."""
    return ", ".join(
        f"{letter} {words}" for letter, words in _MARKED.items() if any(m.letter == letter for m in marks)
    )


def _pages(case_file: CaseFile) -> list[Command]:
    return [c for c in case_file.commands or () if c.sink == "pagerduty" and c.action == "trigger"]


def figures(case_file: CaseFile) -> list[tuple[str, str]]:
    """How long everything took in the last epoch, and how bad it was."""
    epoch = max(line.epoch for line in case_file.changes)
    lines = [line for line in case_file.changes if line.epoch == epoch]
    opened = lines[0].instant
    out = []
    if epoch == 0:
        out.append(("found", f"{after(opened - case_file.began)} after it began"))
    pages = [command.at for command in _pages(case_file) if command.epoch == epoch]
    if pages:
        out.append(("paged", f"{after(min(pages) - opened)} after it was opened"))
    elif case_file.commands is not None:
        out.append(("paged", "nobody"))
    for kind in ("acknowledged", "recovering", "resolved", "closed"):
        found = [line for line in lines if line.kind == kind]
        if found:
            out.append((kind, f"{after(found[-1].instant - opened)} after it was opened"))
        elif kind == "acknowledged":
            out.append((kind, "by nobody"))
    worst = min(line.peak_severity for line in lines)
    most = max(lines, key=lambda line: line.users_impacted)
    error = f" ({error_words(most.users_impacted_error)})" if most.users_impacted_error else ""
    out.append(("worst", f"severity {worst}, {most.users_impacted:,} people an hour{error}"))
    return out
