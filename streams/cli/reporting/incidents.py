"""`watchofficer incidents`: which incidents does the log hold, and what happened in each?"""

from __future__ import annotations

from collections.abc import Sequence
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
from streams.cli.reporting.rederiving import Again, rederived_object, show_rederived, show_similar
from streams.explain.from_log import case_of, from_topics
from streams.explain.rederive import Rederived
from streams.records.log_lines import each_once
from streams.replay.entries import SourceError
from streams.reports.episodes import Episode, earlier_like, episodes_of
from streams.reports.reading import log_lines
from streams.runtime.terminal import standard_output

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
    again: Again | None,
) -> int:
    """List, show or export incidents, and return the exit status.

    ``again`` derives the incident that is shown from what is recorded; None where that is not asked for.

    Raises:
        SourceError: the log cannot be read, or holds no such incident.
    """
    lines = log_lines(log_files)
    every = episodes_of(lines)
    found = [
        one
        for one in every
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
    elif action == "show":
        assert incident is not None
        own = [one for one in every if one.incident == incident]
        alike = earlier_like(own, [one for one in every if one.incident != incident])
        derived = again(lines, incident) if again is not None else None
        if form == "json":
            click.echo(msgspec.json.format(msgspec.json.encode(_shown(found, alike, derived)), indent=2))
        else:
            case_file = case_of(incident, lines, policy) if log_files else from_topics(incident, policy)
            console = Console(highlight=False)
            show(case_file, console)
            show_similar(alike, console)
            show_rederived(derived, console)
    elif form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode([_object(one) for one in found]), indent=2))
    else:
        _list(found, policy)
    return 0


def _shown(found: Sequence[Episode], alike: Sequence[Episode], derived: Rederived | None) -> dict[str, Any]:
    """The object of ``incidents show --format json``."""
    return {
        "episodes": [_object(one) for one in found],
        "similar": [_object(one) for one in alike],
        "rederived": None if derived is None else rederived_object(derived),
    }


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
    if not found:
        click.echo("No incident.")
        return
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
    standard_output().print(table)
