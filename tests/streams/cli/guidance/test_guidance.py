"""Examples, completion, and what is said to somebody who mistypes a command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli.main import main
from tests.support.processes import needs


def commands(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands(one, (*path, name))
    else:
        yield " ".join(path), command


ALL = dict(commands())


def examples(name: str) -> list[str]:
    """The lines of a command's help that call it, without what another program does with its output."""
    told = f"{ALL[name].help or ''}\n{ALL[name].epilog or ''}".splitlines()
    lines = [line.strip() for line in told]
    return [
        line.partition(" | ")[0].partition(" > ")[0]
        for line in lines
        if line.startswith(f"watchofficer {name}")
    ]


@pytest.mark.parametrize("name", ALL)
def test_each_command_has_an_example_that_it_takes(name: str) -> None:
    assert examples(name)
    for line in examples(name):
        words = shlex.split(line.partition("    ")[0])[1 + len(name.split()) :]
        ALL[name].make_context(name, words)  # raises if the command would not take it


def test_examples_fit_a_terminal_and_are_shown_as_lines() -> None:
    shown = CliRunner().invoke(main, ["mute", "add", "--help"]).output
    assert "  watchofficer mute add prod/sis/clear 2h --text 'A test of the provider.'\n" in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["replya"], "Did you mean replay?"),
        (["policy", "explian"], "Did you mean explain?"),
        (["mute", "ad"], "Did you mean add?"),
        (["dead-letter"], "Did you mean dead-letters?"),
    ],
)
def test_a_command_that_is_mistyped_is_guessed(words: list[str], meant: str) -> None:
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert meant in found.output


def test_a_command_like_no_other_is_not_guessed() -> None:
    assert "Did you mean" not in CliRunner().invoke(main, ["xyzzy"]).output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    found = CliRunner().invoke(main, ["completion", shell])
    assert found.exit_code == 0, found.output
    assert "_WATCHOFFICER_COMPLETE" in found.output


@needs("bash", "bash")
def test_bash_completes_a_command(tmp_path: Path) -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    (tmp_path / "watchofficer").write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/main.py "$@"\n')
    (tmp_path / "main.py").write_text("from streams.cli.main import main\nmain(prog_name='watchofficer')\n")
    (tmp_path / "watchofficer").chmod(0o755)
    asked = "COMP_WORDS=(watchofficer dead); COMP_CWORD=1; _watchofficer_completion watchofficer; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "dead-letters"
