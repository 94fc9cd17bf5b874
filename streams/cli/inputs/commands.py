"""Which commands tell a watch something, or show what it would read, with which options?"""

from __future__ import annotations

import sys
from typing import Any

import click

from streams.cli.guidance.group import Commands
from streams.cli.parameters import Instant, errors_in_a_line, json_option, mapping_option, policy_option

__all__ = [
    "dead_letters",
    "declare",
    "deploy",
    "doctor",
    "health",
    "map_",
    "report_failure",
    "retire",
    "tail",
]

_by_option = click.option("--by", help="Who says so. Default: the user of this machine.")
_url_option = click.option(
    "--url", help="Where a worker serves HTTP. Default: WATCHOFFICER_BIND and WATCHOFFICER_PORT."
)


@click.command()
@click.argument("target", metavar="INCIDENT|SCOPE")
@click.option("--states", help="States that it concerns, such as AR,TX; the sign-in page tells it there.")
@click.option("--text", help="Why.")
@_by_option
@_url_option
@json_option()
@errors_in_a_line
def declare(
    target: str, *, states: str | None, text: str | None, by: str | None, url: str | None, form: str
) -> None:
    """Say that INCIDENT (prod-3), or what fails on SCOPE (prod/ssoe), is a service outage.

    A scope without an incident gets one.
    """
    import re

    from streams.cli.inputs.sending import act_command

    fields = {"states": states, "text": text}
    if re.fullmatch(r"[^/]+-[0-9]+", target):
        sys.exit(act_command(f"incidents/{target}/declare", fields, by=by, url=url, form=form))
    sys.exit(act_command("incidents", {"scope": target, **fields}, by=by, url=url, form=form))


@click.command("report-failure")
@click.argument("scope")
@click.option("--text", required=True, help="What people see.")
@_by_option
@_url_option
@json_option()
@errors_in_a_line
def report_failure(scope: str, text: str, by: str | None, url: str | None, form: str) -> None:
    """Report that sign-in fails on SCOPE (prod, prod/ssoe, prod/*/idme): it opens or joins an incident."""
    from streams.cli.inputs.sending import act_command

    sys.exit(act_command("reports", {"scope": scope, "text": text}, by=by, url=url, form=form))


@click.command()
@click.argument("service")
@click.argument("version")
@click.option(
    "--scope", default="prod", show_default=True, help="What it may touch: prod, staging, prod/sis."
)
@click.option("--at", "since", type=Instant(), help="When it went into use. Default: now.")
@_by_option
@click.option("--text", default="", help="More words, such as what has changed.")
@click.option("--id", "key", help="Name of this deploy: told twice, it counts once. Default: a new one.")
@_url_option
@json_option()
@errors_in_a_line
def deploy(
    service: str,
    version: str,
    *,
    scope: str,
    since: int | None,
    by: str | None,
    text: str,
    key: str | None,
    url: str | None,
    form: str,
) -> None:
    """Tell that VERSION of SERVICE has gone into use: a mark on charts and timelines, which changes no verdict.

    For the last step of a CI job. The token is that of WATCHOFFICER_API_TOKEN.
    """
    from detectors.instants import format_instant
    from streams.cli.inputs.sending import act_command

    at = None if since is None else format_instant(since)
    fields = {"scope": scope, "item": service, "value": version.lower(), "since": at, "text": text}
    sys.exit(act_command("deploys", fields, by=by, url=url, form=form, key=key))


@click.command()
@click.argument("axis")
@click.argument("value")
@click.option("--env", default="prod", show_default=True, help="Environment.")
@_by_option
@click.option("--text", default="", help="Why.")
@_url_option
@json_option()
@errors_in_a_line
def retire(axis: str, value: str, **options: Any) -> None:
    """Say that nobody will use VALUE of AXIS any more (csp mhv), so that its silence wakes nobody.

    What fell silent for that reason resolves. The token is that of WATCHOFFICER_API_TOKEN.
    """
    from streams.cli.inputs.retire import retire_command

    sys.exit(retire_command(axis, value, **options))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each check as an object.")
@click.option(
    "--role",
    type=click.Choice(["all", "ingest", "evaluate", "sinks", "guard"]),
    default="all",
    show_default=True,
    help="The process whose needs are looked at.",
)
@policy_option
@click.option("--trust-producer-clocks", is_flag=True, help="As for `run`.")
@_url_option
@click.option(
    "--acls", is_flag=True, help="Print the least rights on Kafka as commands instead, and ask nobody."
)
@click.option("--principal", help="The name to which --acls gives them. Default: that of the settings.")
@errors_in_a_line
def doctor(*, acls: bool, principal: str | None, **options: Any) -> None:
    """Say what of a deployment is not as it must be, and what to do (exit status 1: something has failed).

    Looked at are broker, rights, topics, clock, receivers, policy, disk, and the inputs of a worker that runs.
    Nothing is changed, and nobody is paged.
    """
    from streams.cli.doctor.command import acls_command, doctor_command

    if acls:
        wanted = {name: options[name] for name in ("role", "trust_producer_clocks")}
        sys.exit(acls_command(principal=principal, **wanted))
    sys.exit(doctor_command(**options))


@click.command()
@click.option(
    "--ready", is_flag=True, help="Ask whether it does its work, instead of whether it stands still."
)
@json_option()
@errors_in_a_line
def health(ready: bool, form: str) -> None:
    """Ask the process at WATCHOFFICER_BIND and WATCHOFFICER_PORT whether it lives (exit status 1: it does not)."""
    from streams.cli.inputs.health import health_command

    sys.exit(health_command(ready=ready, form=form))


@click.command("map")
@click.argument("mapping_name", metavar="[MAPPING]", required=False)
@click.argument("events", nargs=-1)
@click.option("--suggest", is_flag=True, help="Suggest a mapping for records of which there are samples.")
@click.option("--list", "listed", is_flag=True, help="List the mappings that ship.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@json_option()
@errors_in_a_line
def map_(mapping_name: str | None, events: tuple[str, ...], suggest: bool, listed: bool, form: str) -> None:
    """Show what MAPPING makes of a producer's own records in EVENTS (files, or - for standard input).

    \b
    watchofficer map vets-api-sis production.log
    watchofficer map --suggest samples.jsonl > my-source.yaml
    """
    import json

    from streams.cli.inputs.mapping import map_command, suggest_command
    from streams.mappings.shipped import shipped_names

    if listed:
        names = shipped_names()
        click.echo(json.dumps(list(names)) if form == "json" else "\n".join(names))
        return
    if mapping_name is None:
        raise click.UsageError("Missing argument 'MAPPING', or --suggest with samples, or --list.")
    if suggest:
        sys.exit(suggest_command((mapping_name, *events)))
    if not events:
        raise click.UsageError("Missing argument 'EVENTS...'.")
    sys.exit(map_command(mapping_name, events, form=form))


@click.command()
@click.argument("source")
@mapping_option
@click.option("--topic", help="Topic. Default: login-events; with --raw that of the mapping.")
@click.option(
    "--raw", is_flag=True, help="Send lines as they are, for a worker that reads them by the mapping."
)
@click.option(
    "--position", type=click.Path(), help="Keep here how far a file was read. Default: beside the file."
)
@click.option(
    "--from-end", is_flag=True, help="Begin a file that was never read at its end, not at its beginning."
)
@click.option("--cert", type=click.Path(), help="Certificate (PEM) of syslog+tls.")
@click.option("--key", type=click.Path(), help="Key of the certificate (PEM, not encrypted).")
@click.option(
    "--client-ca", type=click.Path(), help="Take connections of clients with a certificate of this authority."
)
@click.option(
    "--syslog-header", "whole", is_flag=True, help="A line is a whole message of syslog, not its MSG alone."
)
@policy_option
@errors_in_a_line
def tail(**options: Any) -> None:
    """Put the lines of SOURCE onto a topic, at least once, until they end.

    SOURCE is - (standard input), a file (which may be rotated), syslog://HOST:PORT or syslog+tls://HOST:PORT (RFC 5424
    over TCP), or http://HOST:PORT (POST /ingest; the token is that of WATCHOFFICER_API_TOKEN).

    \b
    watchofficer tail --mapping vets-api-sis /var/log/vets-api/production.log
    kubectl logs -f deploy/keycloak | watchofficer tail --mapping keycloak -
    """
    from streams.cli.inputs.tail import TailOptions, tail_command

    sys.exit(tail_command(TailOptions(**options)))


@click.group("dead-letters", cls=Commands)
def dead_letters() -> None:
    """List the commands that never reached their receiver, try them again, or drop them."""


@dead_letters.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def _list(as_json: bool) -> None:
    """List them, oldest first. The status is 1 if there are any."""
    from streams.cli.inputs.dead_letters import list_command

    sys.exit(list_command(as_json))


@dead_letters.command("retry")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def _retry(ids: tuple[str, ...]) -> None:
    """Put them on the outbox again. A page of what is over is refused."""
    from streams.cli.inputs.dead_letters import retry_command

    sys.exit(retry_command(ids))


@dead_letters.command("drop")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def _drop(ids: tuple[str, ...]) -> None:
    """Take them off the list."""
    from streams.cli.inputs.dead_letters import drop_command

    sys.exit(drop_command(ids))
