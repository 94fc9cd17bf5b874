"""Every link of a document leads to a file that is there, and to a heading that the file has."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "deploy").rglob("*.md"),
]
#: What `make docs` writes itself.
MADE = {"docs/commands.md"}


@cache
def text_of(document: Path) -> str:
    """A document without the blocks of code in it."""
    return re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(document: Path) -> list[str]:
    """Where the links and pictures of a document lead, without what is on other hosts and what stands as code."""
    prose = re.sub(r"`[^`\n]+`", "code", text_of(document))
    return [one for one in re.findall(r"\]\(([^)\s]+)\)", prose) if not re.match(r"[a-z]+:", one)]


@cache
def anchors(document: Path) -> set[str]:
    """The fragments by which the headings of a document are reached, as code hosts and the site make them."""
    titles = re.findall(r"^#+ (.*)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in titles}


def broken(documents: Iterable[Path]) -> list[str]:
    """The links that lead nowhere, each with the name of its document."""
    found = []
    for document in documents:
        for link in links(document):
            path, _, fragment = link.partition("#")
            target = (document.parent / path) if path else document
            if not target.exists() or (fragment and fragment not in anchors(target)):
                found.append(f"{document.name}: {link}")
    return found


def test_every_link_of_a_document_leads_somewhere() -> None:
    assert broken(DOCUMENTS) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    there, here = tmp_path / "there.md", tmp_path / "here.md"
    there.write_text("# A title\n\n## `code`, and *more*: 5\n")
    here.write_text(
        "# Here\n[a](there.md#a-title) [b](there.md#code-and-more-5) [c](#here) [d](https://example.org/x)\n\n"
        "| a |\n|---|\n| [e](there.md#title) |\n\n![f](away.svg)\n[g](#there) `[h](no-link.md)`"
        "\n```\n# There\n[i](no-link.md)\n```\n"
    )
    assert broken([here]) == ["here.md: there.md#title", "here.md: away.svg", "here.md: #there"]


def pages(listed: object) -> Iterator[str]:
    """The files that a part of the site's navigation names."""
    if isinstance(listed, str):
        yield listed
    elif isinstance(listed, list):
        for one in listed:
            yield from pages(one)
    elif isinstance(listed, dict):
        for one in listed.values():
            yield from pages(one)


def test_each_page_that_the_site_lists_is_there() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = list(pages(settings["project"]["nav"]))
    assert [one for one in listed if one not in MADE and not (ROOT / one).is_file()] == []
    assert len(set(listed)) == len(listed) > 20
