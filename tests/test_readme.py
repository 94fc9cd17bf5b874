"""What the README says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from streams.events.decode import decode
from streams.events.validation import Rejection
from streams.settings.settings import variables

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_complete_and_marks_the_secrets() -> None:
    rows = re.findall(r"^\| `(WATCHOFFICER_[A-Z_]+)`( \*)? \|", README, re.MULTILINE)
    assert sorted((name, bool(star)) for name, star in rows) == sorted(
        (one.name, one.secret) for one in variables()
    )


def test_the_event_of_the_example_is_valid() -> None:
    (event,) = re.findall(r"echo '(\{.*?\})' \| tr -d", README, re.DOTALL)
    event = event.replace("'$(date -u +%FT%TZ)'", "2026-11-23T15:04:05Z").replace("\n", "")
    assert not isinstance(decode(event.encode()), Rejection)


def test_what_documents_name_is_there() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    named = {
        path
        for document in documents
        for path in re.findall(
            r"`((?:tests|streams|detectors|sinks|deploy|benchmarks)/[\w./-]*)`", document.read_text()
        )
    }
    assert len(named) > 100
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_map_has_every_room() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer for one in contracts for layer in one.get("layers", ())]
    the_map = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    rooms = {room for layer in layers for room in layer.split(" | ")}
    assert sorted(rooms - set(re.findall(r"\w+", the_map))) == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_make_targets_it_names_are_there(document: str) -> None:
    text = (ROOT / document).read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets
