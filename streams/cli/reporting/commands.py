"""Which commands report on past incidents, with which options?"""

from __future__ import annotations

import sys
from typing import Any

import click

from streams.cli.guidance.group import Commands
from streams.cli.parameters import Instant, errors_in_a_line, json_option, policy_of, policy_option

__all__ = ["incidents", "policy", "report", "slo", "status_page"]


_log_option = click.option(
    "--log",
    "log_files",
    type=click.Path(),
    multiple=True,
    help="Read this file of the incident log (or of replay --format jsonl) instead of WATCHOFFICER_BROKER.",
)


@click.command()
@click.argument("kind", type=click.Choice(["mtta", "sla", "postmortem"]))
@click.option("--month", metavar="YYYY-MM", help="Month, in the policy's time zone. Default: that of --now.")
@click.option(
    "--from", "start", type=Instant(), help="Report on the time from this instant, instead of a month."
)
@click.option("--to", "end", type=Instant(), help="Report on the time up to this instant.")
@click.option("--incident", help="Incident of the post-mortem, such as prod-3.")
@click.option("--env", default="prod", show_default=True, help="Environment of mtta and sla.")
@_log_option
@click.option(
    "--history", "history_file", type=click.Path(), help="Read records of sli-history from this file (sla)."
)
@click.option(
    "--days",
    "days_file",
    type=click.Path(),
    help="Read records of sla-days from this file (sla), which tell of a month that is over.",
)
@policy_option
@click.option("--now", type=Instant(), default="now", help="The present, for what is still open.")
@click.option("--format", "form", type=click.Choice(["md", "html", "json"]), default="md", show_default=True)
@json_option()
@errors_in_a_line
def report(kind: str, policy_file: str | None, **options: Any) -> None:
    """Report on response times (mtta), on what the SLA promises (sla), or on one incident (postmortem).

    \b
    watchofficer report mtta --month 2026-11
    watchofficer report sla --month 2026-11 --format html > sla.html
    watchofficer report postmortem --incident prod-3
    """
    from streams.cli.reporting.report import report_command

    sys.exit(report_command(kind, policy_of(policy_file), **options))


@click.command()
@click.argument("action", type=click.Choice(["list", "show", "export"]))
@click.argument("incident", required=False)
@click.option("--since", type=Instant(), help="Only incidents that opened at this instant or later.")
@click.option("--env", help="Only incidents of this environment.")
@_log_option
@click.option(
    "--events",
    multiple=True,
    help="Derive the incident (show) again from these events, as replay reads them.",
)
@click.option(
    "--history", "history_file", type=click.Path(), help="Records of sli-history from before --events."
)
@click.option(
    "--inputs", "inputs_file", type=click.Path(), help="Records of incident-inputs beside --events."
)
@click.option(
    "--rederive/--no-rederive",
    default=True,
    help="Without --log and --events, derive the incident (show) again from the topics. Default: do.",
)
@policy_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@json_option()
@errors_in_a_line
def incidents(action: str, incident: str | None, policy_file: str | None, **options: Any) -> None:
    """List incidents, show one with its timeline, or export all lines of the log that tell them.

    show also derives the incident again from the recorded events and says whether that is equal to what the
    log tells, or what differs, and names earlier incidents like it with how they ended.

    \b
    watchofficer incidents list --since 2026-11-01T00:00:00Z
    watchofficer incidents show prod-3
    watchofficer incidents show prod-1 --log log.jsonl --events events.jsonl --history history.jsonl
    """
    from streams.cli.reporting.incidents import incidents_command
    from streams.cli.reporting.rederiving import rederiving

    if action == "show" and incident is None:
        raise click.UsageError("Missing argument 'INCIDENT'.")
    policy = policy_of(policy_file)
    names = ("events", "history_file", "inputs_file", "rederive")
    given = {name: options.pop(name) for name in names}
    again = rederiving(policy, topics=not options["log_files"], **given)
    sys.exit(incidents_command(action, incident, policy, again=again, **options))


@click.group(cls=Commands)
def policy() -> None:
    """Say what a policy promises people."""


@policy.command()
@click.argument("table", required=False)
@policy_option
@json_option()
@errors_in_a_line
def explain(table: str | None, policy_file: str | None, form: str) -> None:
    """Print the numbers of the process of an incident, as tables in Markdown: all, or one TABLE.

    \b
    watchofficer policy explain                     severities, clocks, promises, audiences and more
    watchofficer policy explain severities --policy my-policy.yaml
    """
    from streams.cli.reporting.policy import explain_command

    sys.exit(explain_command(policy_of(policy_file), table=table, form=form))


@click.group(cls=Commands)
def slo() -> None:
    """Hand the objectives of a policy to other tools."""


@slo.command()
@click.option("--env", default="prod", show_default=True, help="Environment whose counts are measured.")
@click.option(
    "--topic-prefix", envvar="WATCHOFFICER_TOPIC_PREFIX", default="", help="Stands before the topic's name."
)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@policy_option
@json_option()
@errors_in_a_line
def export(policy_file: str | None, **options: Any) -> None:
    """Print objectives and alerts on burn rates as OpenSLO v1 documents.

    \b
    watchofficer slo export --policy my-policy.yaml > slo.yaml
    """
    from streams.cli.reporting.slo import export_command

    sys.exit(export_command(policy_of(policy_file), **options))


@click.command("status-page")
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), required=True, help="Folder to write into."
)
@policy_option
@errors_in_a_line
def status_page(out: str, policy_file: str | None) -> None:
    """Write the public status page and its Atom feed into a folder, from the topics of WATCHOFFICER_BROKER.

    A worker serves both at /status and /status.atom, too. Run this every minute to fill a bucket that stays up when
    the workers do not.

    \b
    watchofficer status-page --out public
    """
    from pathlib import Path

    from streams.cli.reporting.status_page import status_page_command

    sys.exit(status_page_command(Path(out), policy_of(policy_file)))
