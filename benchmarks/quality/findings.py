"""Which faults did detection make in a run? There is one line for each, for the developer of a detector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.quality.runs import Run
from detectors.backtest.outcomes import Outcome
from detectors.backtest.score import Answer
from detectors.backtest.totals import cause_of
from detectors.instants import MINUTE, SECOND, format_instant

__all__ = ["SLOW", "findings"]


#: The time, ms, from which on a page for a total outage at peak is too slow.
SLOW = 45 * SECOND


def findings(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """Yield (kind of fault, where and how) for every fault of the runs, in the order of the runs."""
    for run in runs:
        where = f"{run.case.name} ({run.starts})"
        for outcome in run.score.false:
            what = "false page" if outcome.pages else "false incident"
            yield what, f"{where}: {_outcome(outcome)}"
        for answer in run.score.answers:
            for what, how in _of(answer, run):
                yield what, f"{where}: {_label(answer)}: {how}"


def _of(answer: Answer, run: Run) -> Iterator[tuple[str, str]]:
    label, own = answer.label, answer.own
    if own is None:
        if label.page is not None:
            shared = f"within {_outcome(answer.shared)}" if answer.shared else "no incident"
            yield "missed", shared
        return
    if label.page and not answer.pages:
        yield "nobody woken", _outcome(own)
    if label.page is False:
        for one in (own, *answer.again, *answer.duplicates):
            if one.pages:
                yield "woken in vain", _outcome(one)
    for one in answer.duplicates:
        yield "duplicate", f"{_outcome(one)} beside {_outcome(own)}"
    for one in answer.again:
        yield "reopened", _outcome(one)
    if answer.scope != label.scope:
        yield "wrong scope", _outcome(own)
    if label.severity is not None and answer.severity != label.severity:
        yield "wrong severity", f"{answer.severity} for {label.severity} ({label.users} people an hour)"
    if answer.ending in ("early", "not over") or (answer.ending == "late" and not run.at_night):
        after = "" if answer.recovery is None else f", {answer.recovery / MINUTE:+.0f} min"
        yield "ending", f"{answer.ending}{after}: {_outcome((own, *answer.again)[-1])}"
    promised = run.total and run.at_peak and label.severity == 1 and label.kind == "outage"
    if promised and (answer.to_page or 0) > SLOW:
        yield "slow page", f"+{(answer.to_page or 0) / SECOND:.0f} s by {cause_of(answer)}"


def _label(answer: Answer) -> str:
    label = answer.label
    return f"{label.kind} {label.scope} severity {label.severity}, {label.users} people"


def _outcome(one: Outcome) -> str:
    scopes = " > ".join(scope for _, scope in one.scopes)
    paged = "nobody paged" if one.paged_at is None else f"paged {format_instant(one.paged_at)}"
    resolved = "" if one.resolved_at is None else f", resolved {format_instant(one.resolved_at)}"
    return (
        f"{one.incident}.{one.epoch} {scopes} by {'+'.join(one.causes)}, severity {one.peak_severity},"
        f" opened {format_instant(one.opened_at)}, {paged}{resolved} ({one.resolved_reason}): {one.sentence}"
    )
