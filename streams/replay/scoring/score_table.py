"""How are a score and a comparison shown as tables?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from detectors.backtest.comparison import Change
from detectors.backtest.outcomes import Outcome
from detectors.backtest.score import Answer, Score
from detectors.backtest.totals import Delays, cause_of, totals
from detectors.instants import MINUTE, SECOND, format_instant
from streams.runtime.terminal import standard_output

__all__ = ["show_comparison", "show_score"]

_INSTANTS = frozenset({"opened_at", "paged_at", "resolved_at"})


def show_score(
    score: Score, console: Console | None = None, *, title: str = "Held against the truth"
) -> None:
    """Print what became of each label, the incidents that answer none, and the figures."""
    console = console or standard_output()
    answers = _table(title, "label", "", "by", "severity", "opened", "paged", "over")
    for answer in score.answers:
        label = answer.label
        answers.add_row(
            f"{format_instant(label.start)}\n{label.kind} {label.scope}",
            _verdict(answer),
            cause_of(answer).replace("+", "\n") or "-",
            _severity(answer),
            _plus(answer.to_open),
            _plus(answer.to_page),
            _ending(answer),
        )
    console.print(answers)
    _show_false(score, console)
    _show_totals(score, console)


def show_comparison(changes: Sequence[Change], console: Console | None = None) -> None:
    """Print the incidents that appear, vanish or move, and how many of each there are."""
    console = console or standard_output()
    table = _table("By the other policy", "incident", "page", "at", "scope", "what is different")
    for change in changes:
        if change.what == "stays":
            continue
        one = change.before or change.after
        assert one is not None
        table.add_row(
            change.what,
            change.page if change.page != "none" else "-",
            format_instant(change.at),
            one.scopes[-1][1],
            "; ".join(f"{name.replace('_', ' ')}: {_both(name, pair)}" for name, pair in change.moved.items())
            or one.sentence,
        )
    if table.row_count:
        console.print(table)
    incidents = Counter(change.what for change in changes)
    pages = Counter(change.page for change in changes if change.page != "none")
    for name, counts in (("Incidents", incidents), ("Pages", pages)):
        console.print(
            f"{name}: {counts['appears']} appear, {counts['vanishes']} vanish, {counts['moves']} move,"
            f" {counts['stays']} stay"
        )


def _show_false(score: Score, console: Console) -> None:
    if not score.false:
        return
    table = _table("Without a cause", "incident", "scope", "opened", "paged", "severity", "why")
    for one in score.false:
        table.add_row(
            _name(one),
            one.scopes[-1][1],
            format_instant(one.opened_at),
            "nobody" if one.paged_at is None else format_instant(one.paged_at),
            str(one.peak_severity),
            one.sentence,
        )
    console.print(table)


def _show_totals(score: Score, console: Console) -> None:
    sums = totals([score])
    table = _table("Figures", "", "share", "of", "")
    rows = (
        (
            "recall",
            sums.recall,
            sums.must_page + sums.must_notice,
            f"{sums.shared} within another's incident",
        ),
        ("precision", sums.precision, sums.pages, f"{sums.false_pages} false, {sums.double_pages} double"),
        ("right scope", sums.scope_right, sums.answered, ""),
        ("right peak severity", sums.severity_right, sums.answered, ""),
        ("right cause", sums.cause_right, sums.answered, ""),
        (
            "one incident for one",
            sums.alone_share,
            sums.answered,
            f"{sums.duplicates} duplicates, {sums.again} reopened",
        ),
        ("over in time", sums.ended_well, sums.answered - sums.ending["unknown"], ""),
    )
    for name, share, of, more in rows:
        table.add_row(name, "-" if share is None else f"{share:.3f}", str(of), more)
    for name, delays in (("to opening", sums.to_open), ("to page", sums.to_page)):
        table.add_row(name, _delays(delays), str(len(delays.values)), "median / worst, event time")
    console.print(table)
    if sums.outside:
        console.print(f"{sums.outside} labels lie outside the events.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0)
    return table


def _verdict(answer: Answer) -> str:
    """How it was met, and the scope it was taken for, if that is another."""
    wrong = answer.scope not in (None, answer.label.scope)
    return _met(answer) + (f"\n[red]as {answer.scope}[/]" if wrong else "")


def _met(answer: Answer) -> str:
    if answer.label.page is None:
        return "seen" if answer.own else "not seen"
    if answer.met:
        woke = answer.label.page is False and bool(answer.pages)
        return "[red]noticed, but woke somebody[/]" if woke else ("paged" if answer.label.page else "noticed")
    if answer.shared:
        return f"[red]missed[/], within {_name(answer.shared)}"
    return "[red]missed[/]" if answer.own is None else "[red]nobody woken[/]"


def _ending(answer: Answer) -> str:
    if answer.ending is None:
        return "-"
    after = "" if answer.recovery is None else f"\n{answer.recovery / MINUTE:+.0f} min"
    style = "" if answer.ending in ("in time", "faded", "unknown") else "[red]"
    return f"{style}{answer.ending}{'[/]' if style else ''}{after}"


def _severity(answer: Answer) -> str:
    """The label's, and the one found, if that is another."""
    truth, found = answer.label.severity, answer.severity
    if truth in (None, found) or found is None:
        return "-" if truth is None and found is None else str(truth or found)
    return f"{truth} [red]as {found}[/]"


def _plus(millis: int | None) -> str:
    return "-" if millis is None else f"+{millis / SECOND:.0f} s"


def _delays(delays: Delays) -> str:
    middle, worst = delays.median, delays.worst
    return "-" if middle is None or worst is None else f"{middle / SECOND:.0f} s / {worst / SECOND:.0f} s"


def _name(outcome: Outcome) -> str:
    return outcome.incident if not outcome.epoch else f"{outcome.incident} (reopened {outcome.epoch})"


def _both(name: str, pair: tuple[object, object]) -> str:
    if name in _INSTANTS:
        before, after = pair
        if isinstance(before, int) and isinstance(after, int):
            return f"{(after - before) / SECOND:+.0f} s"
        return " -> ".join(format_instant(v) if isinstance(v, int) else "never" for v in pair)
    return " -> ".join(str(value) for value in pair)
