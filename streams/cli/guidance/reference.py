"""Which commands and options are there? ``python -m streams.cli.guidance.reference`` prints them as a page.

`make docs` puts the page among the documents.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from streams.cli.main import main

__all__ = ["render"]

#: Columns of a help text, and letters of its first sentence in the table.
_WIDTH, _SENTENCE = 100, 200
_INTRODUCTION = """# The command line

What `--help` says of each command. Everything else that a command goes by is a
[setting](../README.md#settings). `watchofficer completion` makes a shell complete commands and options. The acts
of people have more ways in ([actions.md](actions.md)).

| command | what it does |
|---|---|
"""


def render() -> str:
    """Return the page: a table of all commands, then the help of each."""
    found = list(_commands(_context(main, None)))
    rows = "".join(
        f"| [{name}](#{name.replace(' ', '-')}) | {_sentence(one.command)} |\n" for name, one in found
    )
    return (
        _INTRODUCTION + rows + "".join(f"\n## {name}\n\n```text\n{_help(one)}\n```\n" for name, one in found)
    )


def _commands(group: click.Context) -> Iterator[tuple[str, click.Context]]:
    """The commands below a group with the words by which each is called, those of further groups included."""
    assert isinstance(group.command, click.Group)
    for name, command in sorted(group.command.commands.items()):
        own = _context(command, group, name)
        if isinstance(command, click.Group):
            yield from _commands(own)
        else:
            yield own.command_path.partition(" ")[2], own


def _context(
    command: click.Command, parent: click.Context | None, name: str = "watchofficer"
) -> click.Context:
    return command.make_context(name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH)


def _sentence(command: click.Command) -> str:
    return command.get_short_help_str(limit=_SENTENCE).replace("|", "\\|")


def _help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())


if __name__ == "__main__":
    print(render(), end="")
