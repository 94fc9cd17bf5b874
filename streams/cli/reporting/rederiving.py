"""`watchofficer incidents show`: from which records is an incident derived again, and how is the result told?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.instants import MINUTE, format_instant, parse_instant
from detectors.policy.policy import Policy
from sinks.wording import day_words, duration_words, one_line, truncate
from streams.explain.rederive import Rederived, applied_inputs, inputs_of, rederive
from streams.kafka.topics import Topics
from streams.records.log_lines import Line
from streams.replay.entries import SourceError
from streams.replay.record_files import read_history, read_inputs
from streams.replay.sources import checkpoint_of, partitions
from streams.reports.episodes import Episode
from streams.reports.reading import input_records
from streams.runtime.clocks import RealClock
from streams.settings.settings import read_settings

__all__ = ["Again", "rederived_object", "rederiving", "show_rederived", "show_similar"]

#: Derives the incident with an id again; all lines of the log are given.
Again = Callable[[Sequence[Line], str], Rederived]
#: Events are read from so long before the first failure, and to so long after the last line, ms.
_BEFORE, _AFTER = 15 * MINUTE, 10 * MINUTE
_VALUE_LIMIT = 160


def rederiving(
    policy: Policy,
    *,
    topics: bool,
    events: tuple[str, ...],
    history_file: str | None,
    inputs_file: str | None,
    rederive: bool,
) -> Again | None:
    """How an incident is derived again: from files of events, or from the topics; None where neither is asked for.

    Args:
        policy: judges the events.
        topics: whether the log is that of ``WATCHOFFICER_BROKER``, so that its topics hold the events.
        events, history_file, inputs_file: files, as for `replay`.
        rederive: whether the topics may be read for it.
    """
    if events:
        return lambda lines, incident: _of_files(lines, incident, policy, events, history_file, inputs_file)
    if not topics or not rederive:
        return None

    def of_topics(lines: Sequence[Line], incident: str) -> Rederived:
        try:
            return _of_topics(lines, incident, policy)
        except SourceError as error:  # what the log tells is shown all the same
            return Rederived(0, (), False, policy.hash, why_not=str(error))

    return of_topics


def _of_files(
    lines: Sequence[Line],
    incident: str,
    policy: Policy,
    events: tuple[str, ...],
    history_file: str | None,
    inputs_file: str | None,
) -> Rederived:
    own = [line for line in lines if line.incident == incident]
    return rederive(
        own,
        partitions(events),
        policy,
        # Lines of files have no Kafka timestamp: they are judged as if they were read when the incident ended.
        now=max(line.instant for line in own) + _AFTER,
        history=read_history(history_file) if history_file else (),
        inputs=read_inputs(inputs_file, policy.step) if inputs_file else inputs_of(own),
    )


def _of_topics(lines: Sequence[Line], incident: str, policy: Policy) -> Rederived:
    own = [line for line in lines if line.incident == incident and line.kind != "refused"]
    began = min(parse_instant(line.first_bad_at or line.at) for line in own)
    ended = max(line.instant for line in own)
    topic = Topics(read_settings(os.environ).topic_prefix).login_events
    span = f"{format_instant(began - _BEFORE)}..{format_instant(ended + _AFTER)}"
    events = (f"topic:{topic}@{span}",)
    checkpoint = checkpoint_of(events)
    assert checkpoint is not None  # as the name has a FROM
    return rederive(
        own,
        partitions(events, back=checkpoint.back(policy)),
        policy,
        now=RealClock()(),
        inputs=applied_inputs(input_records(), lines, policy),
        checkpoint=checkpoint,
    )


def rederived_object(derived: Rederived) -> dict[str, Any]:
    """The result as an object for JSON."""
    return {
        "equal": derived.equal,
        "found": derived.found,
        "why_not": derived.why_not,
        "lines": derived.lines,
        "policy_hash": derived.policy_hash,
        "judged_by": derived.judged_by,
        "differences": [
            {
                "at": one.at,
                "type": one.kind,
                "only": one.only,
                "fields": {
                    name: {"log": log, "events": events} for name, (log, events) in one.fields.items()
                },
            }
            for one in derived.differences
        ],
    }


def show_rederived(derived: Rederived | None, console: Console) -> None:
    """Say whether the recorded events give the very same incident, or what differs."""
    console.print("\n[bold]Derived again[/]")
    if derived is None:
        console.print("  Not asked for: give --events, or read the topics (without --log and --no-rederive).")
        return
    if derived.why_not is not None:
        console.print(Text(f"  The events cannot be read: {one_line(derived.why_not)}"))
    elif not derived.found:
        console.print("  [yellow]The events that are recorded bring no such incident.[/]")
    elif derived.equal:
        console.print(f"  [green]Equal[/]: the recorded events give the same {derived.lines} lines.")
    else:
        console.print(f"  [red]{len(derived.differences)} of {derived.lines} lines differ:[/]")
    if derived.judged_by and derived.judged_by != (derived.policy_hash,):
        hashes = ", ".join(derived.judged_by)
        console.print(
            f"  The log was judged by policy {hashes}, this by {derived.policy_hash}: give --policy."
        )
    for one in derived.differences:
        words = f"  {one.at}  {one.kind}"
        console.print(Text(words if one.only is None else f"{words}: only {one.only} has it"))
        for name, (log, events) in one.fields.items():
            console.print(Text(f"    {name}: the log has {_value(log)}, the events give {_value(events)}"))


def _value(value: object) -> str:
    return truncate(one_line(str(value)), _VALUE_LIMIT)


def show_similar(alike: Sequence[Episode], console: Console) -> None:
    """List earlier incidents on the same scope with a cause in common, with how they ended."""
    console.print("\n[bold]Earlier incidents like it[/]")
    if not alike:
        console.print("  none on this scope with such a cause in the log")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("incident", "opened", "sev", "lasted", "how it ended"):
        table.add_column(name)
    for one in reversed(alike):
        lasted = "open" if one.resolved_at is None else duration_words(one.resolved_at - one.opened_at)
        ended = Text(one_line(one.resolved_reason))
        table.add_row(one.name, day_words(one.opened_at), str(one.peak_severity), lasted, ended)
    console.print(table)
