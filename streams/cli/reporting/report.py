"""`watchofficer report`: which report is made of which records, and how is it printed?"""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from detectors.history.history import KEPT, History
from detectors.instants import DAY, parse_instant
from detectors.policy.policy import Policy
from streams.records.log_lines import Line, deploys_of
from streams.replay.entries import SourceError
from streams.replay.record_files import add_record
from streams.reports.announced import announced
from streams.reports.availability.known import DayRecords
from streams.reports.availability.report import sla_report
from streams.reports.document import Report
from streams.reports.episodes import episodes_of
from streams.reports.postmortem import postmortem_report
from streams.reports.reading import day_records, history_records, log_lines
from streams.reports.rendering.html import html
from streams.reports.rendering.markdown import markdown
from streams.reports.response import response_report
from streams.reports.spans import Span, between, local, month_of

__all__ = ["report_command"]


def report_command(
    kind: str,
    policy: Policy,
    *,
    month: str | None,
    start: int | None,
    end: int | None,
    incident: str | None,
    env: str,
    log_files: tuple[str, ...],
    history_file: str | None,
    days_file: str | None,
    now: int,
    form: str,
) -> int:
    """Print a report, and return the exit status.

    Raises:
        SourceError: an input cannot be read, or an option does not fit the kind of report.
    """
    span = _span(month, start, end, policy, now)
    # Of a history alone, availability can be told without a log.
    alone = kind == "sla" and (history_file or days_file) and not log_files
    lines = [] if alone else log_lines(log_files)
    if kind == "postmortem":
        made = _postmortem(incident, lines, policy, now)
    elif kind == "mtta":
        known_from = min((line.instant for line in lines), default=None)
        made = response_report(episodes_of(lines), policy, span, env=env, now=now, known_from=known_from)
    else:
        if month is None and (start is not None or end is not None):
            raise SourceError(
                "report sla: the SLA counts by the month: give --month instead of --from and --to"
            )
        records = _records(history_file, days_file, env, policy, span, now)
        said = announced(lines, env, now)
        made = sla_report(records, episodes_of(lines), policy, span, now=now, said=said)
    click.echo(_written(made, form), nl=False)
    return 0


def _span(month: str | None, start: int | None, end: int | None, policy: Policy, now: int) -> Span:
    if month is not None and (start is not None or end is not None):
        raise SourceError("either --month, or --from and --to")
    if start is not None or end is not None:
        if start is None:
            raise SourceError("--to: give --from as well")
        until = now if end is None else end
        if until <= start:
            raise SourceError("--to must be after --from")
        return between(start, until)
    return month_of(month or f"{local(now, policy.time_zone):%Y-%m}", policy.time_zone)


def _records(
    history_file: str | None, days_file: str | None, env: str, policy: Policy, span: Span, now: int
) -> History | DayRecords:
    """Return the history of a month, or the records of its days where the topic has forgotten its five minutes."""
    if history_file is not None and days_file is not None:
        raise SourceError("either --history, or --days")
    if days_file is not None and span.end > now:
        raise SourceError(
            f"--days: {span.name} is not over; records of its five minutes (--history) tell of it so far"
        )
    if days_file is not None or (history_file is None and span.start < now - KEPT):
        return DayRecords(env, day_records(days_file, env, span.start))
    return _history(history_file, env, policy, span)


def _history(file: str | None, env: str, policy: Policy, span: Span) -> History:
    """Return the history of the month and of the weeks before it that are kept beside it."""
    history = History.of(env, policy)
    for record in history_records(file, env):
        at = record.get("at")
        try:
            known = parse_instant(at) if isinstance(at, str) else at
        except ValueError:
            known = None
        if not isinstance(known, int) or span.end - KEPT - DAY <= known < span.end:
            add_record(lambda _: history, record)
    return history


def _postmortem(incident: str | None, lines: Sequence[Line], policy: Policy, now: int) -> Report:
    if incident is None:
        raise SourceError("report postmortem: name the incident with --incident, such as --incident prod-3")
    every = episodes_of(lines)
    own = [one for one in every if one.incident == incident]
    if not own:
        known = ", ".join(dict.fromkeys(one.incident for one in every[-10:])) or "none"
        raise SourceError(f"there is no incident {incident} in the log; the last ones are: {known}")
    others = [one for one in every if one.incident != incident]
    return postmortem_report(own, others, policy, now=now, deploys=deploys_of(lines))


def _written(report: Report, form: str) -> str:
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(report.as_json()), indent=2).decode() + "\n"
    return html(report) if form == "html" else markdown(report)
