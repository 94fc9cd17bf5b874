"""How do `watchofficer mute`, `maintenance` and `correction` keep a scope quiet, or out of the SLA account?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from detectors.process.actions import BY_KIND, PATHS
from detectors.process.vocabulary import InputKind
from streams.cli.guidance.group import Commands
from streams.cli.inputs.acts import act_options
from streams.cli.parameters import errors_in_a_line, with_form

__all__ = ["covers"]


def _print(found: Iterable[Mapping[str, Any]], form: str) -> None:
    import json

    for one in found:
        again = f" {one['recurs']}" if one["recurs"] else ""
        click.echo(
            json.dumps(one)
            if form == "json"
            else f"{one['id']}  {one['state']:8}  {one['scope']}  {one['start']} to {one['end']}{again}"
            f"  {one['by']}: {one['text']}"
        )


def _group(name: str, kind: InputKind, what: str) -> click.Group:
    action = BY_KIND[kind]

    @with_form()
    @errors_in_a_line
    def add(scope: str, by: str | None, url: str | None, form: str, **fields: Any) -> None:
        from streams.cli.inputs.sending import act_command

        sys.exit(act_command(PATHS[kind], {"scope": scope, **fields}, by=by, url=url, form=form))

    @with_form()
    @errors_in_a_line
    def end(name: str, text: str | None, by: str | None, url: str | None, form: str) -> None:
        from urllib.parse import quote

        from streams.cli.inputs.sending import act_command

        path = f"{PATHS[kind]}/{quote(name, safe='')}/end"
        sys.exit(act_command(path, {"text": text}, by=by, url=url, form=form))

    @with_form()
    @errors_in_a_line
    def show(url: str | None, form: str) -> None:
        from streams.cli.inputs.sending import fetch

        found = fetch(PATHS[kind], url=url)
        if found is None:
            sys.exit(2)
        _print(found[PATHS[kind]], form)

    common = [
        option for option in act_options(BY_KIND["unmute"]) if option.name in ("text", "by", "url", "as_json")
    ]
    return Commands(
        name,
        commands={
            "add": click.Command(
                "add",
                params=[click.Argument(["scope"]), *act_options(action)],
                callback=add,
                help=f"{action.does[0].upper()}{action.does[1:]}.",
            ),
            "list": click.Command(
                "list",
                params=[option for option in common if option.name in ("url", "as_json")],
                callback=show,
                help="List those of late, with what became of them.",
            ),
            "end": click.Command(
                "end",
                params=[click.Argument(["name"], metavar="ID"), *common],
                callback=end,
                help="End one before its time.",
            ),
        },
        help=what,
    )


covers: tuple[click.Group, ...] = (
    _group("mute", "mute", "Keep a scope quiet for a while: Slack has it, and nobody is woken."),
    _group("maintenance", "maintain", "Announce maintenance of a scope, once or by a rule."),
    _group("correction", "correct", "Take a span of a scope out of the SLA account, afterwards."),
)
