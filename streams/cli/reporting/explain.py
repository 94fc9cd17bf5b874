"""`watchofficer explain`: how does the report on an incident look on the terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click
import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.instants import MINUTE, format_duration
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, capitalised, day_words
from streams.cli.guidance.progress import Progress, expected_records, followed
from streams.explain.case_file import CaseFile, Sample
from streams.explain.from_log import from_files, from_topics
from streams.explain.from_replay import replayed
from streams.explain.objects import case_object
from streams.explain.plot import Plot, plot
from streams.explain.sections import (
    ReportSection,
    after,
    clock,
    figures,
    findings,
    happenings,
    legend,
    sections,
)
from streams.replay.record_files import read_history, read_inputs
from streams.replay.sources import partitions

__all__ = ["explain_command", "show"]

_STYLES = {
    "opened": "bold red",
    "reopened": "bold red",
    "severity": "red",
    "relapsed": "red",
    "breach": "red",
    "recovering": "green",
    "resolved": "bold green",
    "closed": "dim",
    "update": "dim",
    "refused": "yellow",
}
#: Time shown before and after an incident: a part of it, and at least so much, ms.
_MARGIN_PART = 0.15
_MARGIN_LEAST = 5 * MINUTE
_MOST_COLUMNS = 96
#: Columns beside the plot.
_LABELS = 10


def explain_command(
    incident: str,
    events: tuple[str, ...],
    policy: Policy,
    *,
    log_files: tuple[str, ...],
    history_file: str | None,
    inputs_file: str | None,
    partitioned: bool,
    sort: bool,
    now: int,
    form: str,
) -> int:
    """Explain an incident, for people or as an object (``form`` is ``json``), and return the exit status.

    Raises:
        SourceError: an input cannot be read, or knows no such incident.
    """
    if log_files:
        case_file = from_files(incident, log_files, policy)
    elif events:
        case_file = replayed(
            incident,
            partitions(events, partitioned=partitioned, sort=sort),
            policy,
            now=now,
            watched=lambda replay: followed(
                replay.run(), Progress("events", expected_records(events)), lambda: replay.summary.events
            ),
            history=read_history(history_file) if history_file else (),
            inputs=read_inputs(inputs_file, policy.step) if inputs_file else (),
        )
    else:
        case_file = from_topics(incident, policy)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(case_object(case_file)), indent=2))
    else:
        show(case_file, Console(highlight=False))
    return 0


def show(case_file: CaseFile, console: Console) -> None:
    """Tell a case_file."""
    subject = capitalised(ScopeNames(case_file.policy).words(case_file.scope))
    console.print(Text(f"{case_file.incident}: {subject}", style="bold"))
    hashes = ", ".join(dict.fromkeys(line.policy_hash for line in case_file.lines if line.policy_hash))
    console.print(f"Began {day_words(case_file.began)}; judged by policy {hashes or 'unknown'}")
    if case_file.policy is None:
        console.print("[dim]That policy is not available (--policy): the thresholds are those of the log.[/]")
    _show_figures(case_file, console)
    _show_plot(case_file, console)
    _show_findings(case_file, console)
    console.print()
    for section in sections(case_file):
        _show_section(section, case_file.began, console)


def _show_figures(case_file: CaseFile, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for name, words in figures(case_file):
        table.add_row(Text(name, style="dim"), words)
    console.print(Padding(table, (1, 0, 0, 2)))


def _show_plot(case_file: CaseFile, console: Console) -> None:
    margin = max(round((case_file.ended - case_file.began) * _MARGIN_PART), _MARGIN_LEAST)
    marks = happenings(case_file)
    width = min(console.width - _LABELS - 1, _MOST_COLUMNS)
    samples, below = _samples(case_file)
    drawn = plot(
        samples, marks, begin=case_file.began - margin, end=case_file.ended + margin, width=max(width, 20)
    )
    if drawn is None:
        return
    console.print()
    window = format_duration(case_file.sampled.sign_ins)
    parts = (
        f"{case_file.scope}: success in {window}",
        below,
        case_file.sampled.remark,
        f"a column is {drawn.span}",
    )
    console.print(f"  [dim]{', '.join(part for part in parts if part)}[/]")
    _show_bars(drawn.success, "100%", "0%", "green", console)
    _show_bars(drawn.people, f"{drawn.most:,}", "0", "red", console)
    _show_lines(drawn, console)
    console.print(f"  [dim]{legend(marks)}[/]")


def _samples(case_file: CaseFile) -> tuple[Sequence[Sample], str]:
    """Return the samples to draw, and the caption of their lower part: people who failed, or completed sign-ins."""
    if any(sample.people for sample in case_file.samples):
        return case_file.samples, f"people who failed in {format_duration(case_file.sampled.people)}"
    came = [replace(sample, people=sample.good + sample.bad) for sample in case_file.samples]
    return came, "sign-ins that completed (nobody failed)"


def _show_bars(lines: tuple[str, ...], top: str, bottom: str, style: str, console: Console) -> None:
    for i, line in enumerate(lines):
        label = top if i == 0 else bottom if i == len(lines) - 1 else ""
        console.print(Text.assemble((f"{label:>{_LABELS - 2}}  ", "dim"), (line, style)), no_wrap=True)


def _show_lines(drawn: Plot, console: Console) -> None:
    for line, style in ((drawn.marks, "bold"), (drawn.axis, "dim")):
        console.print(Text.assemble(" " * _LABELS, (line, style)), no_wrap=True)


def _show_findings(case_file: CaseFile, console: Console) -> None:
    found = list(findings(case_file))
    if not found:
        return
    console.print("\n[bold]What fired[/]")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for at, words in found:
        table.add_row(at, Text(words))
    console.print(table)


def _show_section(section: ReportSection, began: int, console: Console) -> None:
    since = after(section.at - began)
    head = Text.assemble(
        (f"{clock(section.at)}  ", "bold"),
        (section.title, _STYLES.get(section.kind, "bold")),
        (f"  +{since}" if section.at >= began else f"  {since}", "dim"),
    )
    console.print(head)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=9, no_wrap=True)
    table.add_column()
    for name, words in section.paragraphs:
        table.add_row(name, Text(words))
    if section.paragraphs:
        console.print(Padding(table, (0, 0, 0, 10)))
