"""A full disk is told in one line; a standard stream that is closed, or narrower than its text, is nothing to tell."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: A command that says how much it was given.
COMMAND = """
import sys, click
from streams.cli.guidance.group import Commands

@click.group(cls=Commands)
def main(): pass

@main.command()
def measure():
    'Say how much was given.'
    print(len(sys.stdin.buffer.read()), "\\N{INFINITY}")
    print("measured", file=sys.stderr)

@main.group()
def deep(): pass

deep.add_command(measure)
main(sys.argv[1:])
"""
MEASURED = "measured\n"


@pytest.mark.parametrize(
    ("redirected", "out", "err", "status"),
    [
        ("</dev/null", "0 \\u221e\n", MEASURED, 0),
        ("<&-", "0 \\u221e\n", MEASURED, 0),
        ("<&- >&-", "", MEASURED, 0),
        ("<&- >&- 2>&-", "", "", 0),
        ("</dev/null >/dev/full", "", MEASURED + "cannot go on: No space left on device\n", 2),
        ("</dev/null | true", "", MEASURED, 0),
    ],
)
def test_streams_that_are_closed_or_full_or_narrow(redirected: str, out: str, err: str, status: int) -> None:
    script = f'set -o pipefail; "$0" -c "$1" measure {redirected}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, COMMAND],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": ""},
    )
    assert (done.stdout, done.stderr, done.returncode) == (out, err, status)


@pytest.mark.parametrize("words", ["--help", "deep measure --help"])
def test_help_that_nobody_reads_to_its_end_is_no_failure(words: str) -> None:
    script = f'"$0" -c "$1" {words} | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, COMMAND], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
