"""Which commands speak of an incident: one for each act of ``detectors.process.actions``?"""

from __future__ import annotations

import sys
from typing import Any, get_args

import click

from detectors.process.actions import OF_INCIDENTS, Action, Field
from detectors.process.vocabulary import Role, Stage
from streams.cli.parameters import errors_in_a_line, json_flag, with_form

__all__ = ["When", "act_options", "acts"]


class When(click.ParamType):
    """An RFC 3339 instant, ``now``, or a duration from now (``2h``), as an RFC 3339 instant."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The instant in RFC 3339."""
        from detectors.instants import format_instant
        from streams.records.words import read_instant
        from streams.runtime.clocks import RealClock

        try:
            return format_instant(read_instant(str(value), RealClock()()))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_TYPES: dict[Field, click.ParamType] = {
    "role": click.Choice(get_args(Role)),
    "stage": click.Choice(get_args(Stage)[:-1]),
    "since": When(),
    "until": When(),
}
_OPTIONS: dict[Field, click.Option] = {
    "text": click.Option(["--text"], help="The text, or why."),
    "link": click.Option(["--link"], help="Where it is tracked (http or https)."),
    "item": click.Option(["--item"], help="Number of a follow-up that there is."),
    "public": click.Option(["--public"], is_flag=True, default=None, help="It is for the public too."),
    "recurs": click.Option(["--recurs"], help="An RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=SU."),
    "since": click.Option(["--at", "since"], type=When(), help="When what the note tells happened."),
}
_COMMON = (
    click.Option(["--by"], help="Who asks. Default: the user of this machine."),
    click.Option(
        ["--url"], help="Where a worker serves HTTP. Default: WATCHOFFICER_BIND and WATCHOFFICER_PORT."
    ),
)


def act_options(action: Action) -> list[click.Parameter]:
    """Return the parameters of the command of an act, without those that say what it speaks of."""
    required = [field for field in action.needs if field != "text"]
    optional: list[Field] = [field for field in action.may if field == "until"]
    arguments: list[click.Parameter] = [
        click.Argument([field], type=_TYPES.get(field), metavar=field.upper()) for field in required
    ]
    arguments += [
        click.Argument([field], type=_TYPES.get(field), required=False, metavar=f"[{field.upper()}]")
        for field in optional
    ]
    options = [_OPTIONS[field] for field in action.may if field not in optional]
    if action.kind == "mute":
        options = [click.Option(["--from", "since"], type=When(), help="When it begins. Default: at once.")]
    if "text" in action.needs:
        options.append(click.Option(["--text"], required=True, help="The text."))
    return [*arguments, *options, *_COMMON, json_flag()]


def _command(action: Action) -> click.Command:
    @with_form()
    @errors_in_a_line
    def run(incident: str, by: str | None, url: str | None, form: str, **fields: Any) -> None:
        from urllib.parse import quote

        from streams.cli.inputs.sending import act_command

        path = f"incidents/{quote(incident, safe='')}/{action.word}"
        sys.exit(act_command(path, fields, by=by, url=url, form=form))

    parameters: list[click.Parameter] = [click.Argument(["incident"]), *act_options(action)]
    does = f"{action.does[0].upper()}{action.does[1:]}."
    return click.Command(action.word, params=parameters, callback=run, help=does, short_help=does)


#: The commands, by the order of the table; declare takes a scope too, and is a command of its own.
acts: tuple[click.Command, ...] = tuple(
    _command(one) for one in OF_INCIDENTS.values() if one.kind != "declare"
)
