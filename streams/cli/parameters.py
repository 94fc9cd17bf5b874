"""Which kinds of values do options of `watchofficer` take, beside those of click?

The modules that read them are imported when a value is read, so that ``--help`` answers at once.
"""

from __future__ import annotations

from typing import Any

import click

__all__ = ["Duration", "Instant", "Rebase", "StartAt"]


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
