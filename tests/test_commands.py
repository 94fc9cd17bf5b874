"""Every command, option, module and file that the documents name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from streams.cli.main import main
from tests.test_documents import DOCUMENTS, ROOT

_BLOCK = re.compile(r"^```.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"(?:^|[\s/;(])watchofficer ([a-z][a-z-]*(?: .*)?)$")
#: What is history, and speaks of commands as they were.
_PAST = {"CHANGELOG.md"}


def written(text: str) -> Iterator[str]:
    """What stands as code: spans, and lines of blocks, those that go on joined."""
    yield from re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    for block in _BLOCK.findall(text):
        yield from block.replace("\\\n", " ").splitlines()


def faults(code: str) -> list[str]:
    """The command, or the options, of a line of code that `watchofficer` does not have."""
    call = _CALL.search(re.split(r" #| \| | > ", code)[0].strip())
    if call is None:
        return []
    words, command = call[1].split(), click.Command("")
    group: click.Command = main
    while isinstance(group, click.Group) and words and words[0] in group.commands:
        group = command = group.commands[words.pop(0)]
    if command is not group or (
        isinstance(group, click.Group) and words and re.fullmatch("[a-z-]+", words[0])
    ):
        return [code]
    known = {"--help"}.union(*({*one.opts, *one.secondary_opts} for one in group.params))
    given = {word.split("=")[0].strip(".,;:)]") for word in words if word.startswith("--")}
    return [f"{option} in {code}" for option in sorted(given - known)]


@pytest.mark.parametrize(
    "code", ["watchofficer reply f", "x; watchofficer replay f --sorted", "watchofficer mute ad"]
)
def test_what_is_not_there_is_found(code: str) -> None:
    assert faults(code)
    assert faults(code.replace("reply", "replay").replace("sorted", "sort").replace("ad", "add")) == []


def test_the_commands_and_options_of_the_documents_are_there() -> None:
    texts = [file.read_text(encoding="utf-8") for file in DOCUMENTS if file.name not in _PAST]
    called = [code for text in texts for code in written(text)]
    assert sum(bool(_CALL.search(code)) for code in called) > 60
    assert [fault for code in called for fault in faults(code)] == []


def test_the_programs_of_the_documents_are_there() -> None:
    ours = {"streams", "sinks", "detectors", "tests", "benchmarks"}
    named = {
        name
        for file in DOCUMENTS
        for name in re.findall(r"python -m (\w+(?:\.\w+)*)", file.read_text(encoding="utf-8"))
        if name.split(".")[0] in ours and file.name not in _PAST
    }
    places = {name: ROOT / Path(*name.split(".")) for name in named}
    assert len(named) > 10
    assert [
        name
        for name, place in sorted(places.items())
        if not (place.with_suffix(".py").is_file() or (place / "__main__.py").is_file())
    ] == []
