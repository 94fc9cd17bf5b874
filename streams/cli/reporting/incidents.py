"""`watchofficer incidents`: which incidents does the log hold, and what happened in each?"""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, capitalised, day_words, duration_words
from streams.cli.reporting.explain import show
from streams.explain.from_log import case_of, from_topics
from streams.records.log_lines import each_once
from streams.replay.entries import SourceError
from streams.reports.episodes import Episode, episodes_of
from streams.reports.reading import log_lines

__all__ = ["incidents_command"]


def incidents_command(
    action: str,
    incident: str | None,
    policy: Policy,
    *,
    since: int | None,
    env: str | None,
    log_files: tuple[str, ...],
    form: str,
) -> int:
    """List, show or export incidents, and return the exit status.

    Raises:
        SourceError: the log cannot be read, or holds no such incident.
    """
    if action == "show" and form == "table" and not log_files:
        assert incident is not None
        show(from_topics(incident, policy), Console(highlight=False))
        return 0
    lines = log_lines(log_files)
    found = [
        one
        for one in episodes_of(lines)
        if (since is None or one.opened_at >= since)
        and env in (None, one.env)
        and incident in (None, one.incident)
    ]
    if incident is not None and not found:
        raise SourceError(f"there is no incident {incident} in the log")
    if action == "export":
        wanted = {one.incident for one in found}
        for line in each_once(lines):
            if line.incident in wanted:
                click.echo(msgspec.json.encode(line))
    elif form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode([_object(one) for one in found]), indent=2))
    elif action == "show":
        assert incident is not None
        show(case_of(incident, lines, policy), Console(highlight=False))
    else:
        _list(found, policy)
    return 0


def _object(one: Episode) -> dict[str, Any]:
    return {
        "incident": one.incident,
        "epoch": one.epoch,
        "scope": one.scope,
        "severity": one.severity,
        "peak_severity": one.peak_severity,
        "users_impacted": one.users,
        "basis": one.basis,
        "causes": list(one.causes),
        "first_bad_at": format_instant(one.first_bad_at),
        "opened_at": format_instant(one.opened_at),
        "acknowledged_at": _instant(one.acknowledged_at),
        "acknowledged_by": one.acknowledged_by,
        "declared_at": _instant(one.declared_at),
        "resolved_at": _instant(one.resolved_at),
        "resolved_by": one.resolved_by,
        "resolved_reason": one.resolved_reason or None,
        "interruptions": len(one.wakes),
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _list(found: list[Episode], policy: Policy) -> None:
    names = ScopeNames(policy)
    table = Table(box=None, pad_edge=False)
    for name in ("incident", "sev", "people/h"):
        table.add_column(name, no_wrap=True, justify="left" if name == "incident" else "right")
    for name in ("what", "opened", "acked", "lasted"):
        table.add_column(name)
    for one in found:
        acked = "-" if one.acknowledged_at is None else duration_words(one.acknowledged_at - one.opened_at)
        lasted = "open" if one.resolved_at is None else duration_words(one.resolved_at - one.opened_at)
        what = Text(capitalised(names.words(one.scope)))
        opened = day_words(one.opened_at)
        name = f"{one.incident}.{one.epoch}" if one.epoch else one.incident
        table.add_row(name, str(one.peak_severity), f"{one.users:,}", what, opened, acked, lasted)
    Console(highlight=False).print(table)
