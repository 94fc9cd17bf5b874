"""What does the command line answer to a command that does not exist, and to files that cannot be used?

And which examples does its help show?
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click

__all__ = ["Commands", "show_examples"]

#: Two letters of a short name that change places are alike; `explain` and `replya` are not.
_ALIKE = 0.7
_UNUSABLE = 2  # the exit status, as of other input that cannot be used


class Commands(click.Group):
    """A group that names the commands which are spelt like one that does not exist.

    It says in one line which file cannot be read or written, and ends with status 0 where the reader of its output has
    ended (``| head``): that is no failure. Standard streams that whoever starts it has closed are
    those of ``/dev/null``, and what a terminal cannot show is shown as an escape.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command, as ``click.Group`` does."""
        _open_closed_streams()
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # of a text file
        try:
            try:
                return super().main(*args, **extra)
            finally:
                sys.stdout.flush()  # else a full disk would be noticed after the exit status
        except BrokenPipeError:
            _end_unread()
        except OSError as error:
            _lose_output()
            named = "cannot go on: " if error.filename is None else f"{os.fsdecode(error.filename)}: "
            click.echo(f"{named}{error.strerror or error}", err=True)
            sys.exit(_UNUSABLE)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line, as ``click.Group`` does; ``--help`` is printed here."""
        # click itself ends with status 1 where a pipe breaks, so the error must not reach its `main`.
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            _end_unread()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the command line names, as ``click.Group`` does."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _end_unread()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command.

        Raises:
            click.UsageError: there is none of this name; the message names those that may be meant.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), cutoff=_ALIKE) if args else []
            if near:
                error.message += f" Did you mean {' or '.join(near)}?"
            raise


def _open_closed_streams() -> None:
    """Let ``/dev/null`` be what is read from, or written to, where a standard stream is closed (``>&-``)."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def _end_unread() -> NoReturn:
    _lose_output()
    sys.exit(0)


def _lose_output() -> None:
    """Write what is left of the standard output to ``/dev/null``, as it cannot be written where it belongs."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def show_examples(group: click.Group, examples: Mapping[str, str]) -> None:
    """Put examples below the help of commands.

    Args:
        group: the root of the commands.
        examples: path of a command (``mute add``) -> lines, as a user types them.

    Raises:
        KeyError: there is no such command.
    """
    for path, lines in examples.items():
        command: click.Command = group
        for name in path.split():
            assert isinstance(command, click.Group)
            command = command.commands[name]
        shown = "\n".join(f"  {line}" for line in lines.strip().splitlines())
        command.epilog = f"\b\nExamples:\n{shown}"
