"""What does the command line answer to a command that does not exist, and which examples does its help show?"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import click

__all__ = ["Commands", "show_examples"]

#: Two letters of a short name that change places are alike; `explain` and `replya` are not.
_ALIKE = 0.7


class Commands(click.Group):
    """A group that names the commands which are spelt like one that does not exist."""

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
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), cutoff=_ALIKE) if args else []
            if near:
                error.message += f" Did you mean {' or '.join(near)}?"
            raise


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
