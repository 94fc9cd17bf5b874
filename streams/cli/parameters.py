"""What do commands of `watchofficer` share: kinds of values, options, and how errors are told?

The modules that read them are imported when a value is read, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from detectors.policy.policy import Policy

__all__ = [
    "DONE",
    "FINDINGS",
    "PORT",
    "USAGE",
    "Duration",
    "Instant",
    "Rebase",
    "StartAt",
    "errors_in_a_line",
    "json_flag",
    "json_option",
    "mapping_option",
    "policy_of",
    "policy_option",
    "sort_option",
    "with_form",
]

#: Exit statuses: done; done, and the answer is no (lint, test, doctor, map, health, demo --once); it could not be done.
DONE, FINDINGS, USAGE = 0, 1, 2
#: A port of TCP; 0 for any that is free.
PORT = click.IntRange(0, 65535)
_JSON = "Print JSON."


class Instant(click.ParamType):
    """An RFC 3339 instant, or ``now``, as ms since the epoch."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The instant in ms since the epoch."""
        if isinstance(value, int):
            return value
        from detectors.instants import parse_instant

        if value == "now":
            from streams.runtime.clocks import RealClock

            return RealClock()()
        try:
            return parse_instant(value)
        except ValueError:
            self.fail("not an instant such as 2026-11-23T15:00:00Z", param, ctx)


class Rebase(click.ParamType):
    """``now``, the instant at which the first event is sent, or another instant."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """A value of ``streams.cli.produce.Rebase``."""
        return "now" if value == "now" else Instant().convert(value, param, ctx)


class Duration(click.ParamType):
    """A duration such as ``90s`` or ``1h30m``, as ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The duration in ms."""
        if isinstance(value, int):
            return value
        from detectors.instants import parse_duration

        try:
            millis = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if millis <= 0:
            self.fail("must be longer than nothing", param, ctx)
        return millis


class StartAt(click.ParamType):
    """``earliest``, ``latest`` or an instant."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """A value of ``streams.ingest.settings.Start``."""
        if value in ("earliest", "latest"):
            return str(value)
        return Instant().convert(value, param, ctx)


def errors_in_a_line(command: Callable[..., None]) -> Callable[..., None]:
    """Print errors that the user can correct, without a traceback, and exit with status 2."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except Exception as error:
            from detectors.policy.source import PolicyError
            from streams.mappings.schemas.registry import RegistryAway
            from streams.replay.entries import SourceError
            from streams.settings.settings import SettingsError

            if not isinstance(error, PolicyError | RegistryAway | SettingsError | SourceError):
                raise
            click.echo(str(error), err=True)
            sys.exit(USAGE)

    return run


_Command = Callable[..., None]


def json_flag() -> click.Option:
    """Return the option ``--json`` of a command whose function ``with_form`` wraps."""
    return click.Option(["--json", "as_json"], is_flag=True, help=_JSON)


def with_form(form: str = "json") -> Callable[[_Command], _Command]:
    """Give a command ``form`` in place of ``as_json``.

    Args:
        form: what ``--json`` stands for; without it ``form`` is that of ``--format``, or ``text`` where there is none.
    """

    def decorate(command: _Command) -> _Command:
        @wraps(command)
        def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
            kwargs["form"] = form if as_json else kwargs.get("form", "text")
            command(*args, **kwargs)

        return run

    return decorate


def json_option(form: str = "json") -> Callable[[_Command], _Command]:
    """Give a command ``--json``, for which it gets ``form``; see ``with_form``."""

    def decorate(command: _Command) -> _Command:
        return click.option("--json", "as_json", is_flag=True, help=_JSON)(with_form(form)(command))

    return decorate


def policy_of(file: str | None) -> Policy:
    from pathlib import Path

    from streams.settings.policy_file import default_policy, load_policy

    return load_policy(Path(file)) if file else default_policy()


policy_option = click.option(
    "--policy",
    "policy_file",
    type=click.Path(),
    help="Policy file. Default: the policy that ships with watchofficer.",
)


sort_option = click.option(
    "--sort",
    is_flag=True,
    help="Read files in the order of occurred_at, dumps of kcat -J in that of their offsets.",
)


mapping_option = click.option(
    "--mapping",
    "mapping_name",
    metavar="NAME|FILE",
    help="EVENTS are a producer's own records, of which this mapping makes login events (docs/sources.md).",
)
