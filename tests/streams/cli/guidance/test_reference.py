"""The page of the command line has the help of each command, whatever the terminal."""

from __future__ import annotations

import re

import pytest

from streams.cli.guidance.reference import render


def test_each_command_has_a_row_that_leads_to_its_help(monkeypatch: pytest.MonkeyPatch) -> None:
    page = render()
    rows = re.findall(r"^\| \[(.+)\]\(#(.+)\) \| (.+) \|$", page, re.MULTILINE)
    assert {"replay", "mute add", "dead-letters retry"} <= {name for name, _, _ in rows}
    for name, anchor, sentence in rows:
        assert anchor == name.replace(" ", "-")
        assert sentence.endswith((".", ")"))
        assert f"\n## {name}\n\n```text\nUsage: watchofficer {name} " in page
    assert page.count("\n## ") == len(rows)
    monkeypatch.setenv("COLUMNS", "40")
    assert render() == page
