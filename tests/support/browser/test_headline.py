"""Is a headline that says something else than the API seen as such, and one that is only a moment late not?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser.headline import differs, find_disagreements


@pytest.mark.parametrize(
    ("words", "severity", "link", "differs_in"),
    [
        ("Severity 1. SSOe sign-in is failing: ~9,400 people an hour. Ada has it.", "1", "prod-17", ""),
        (
            "Severity 1. SSOe sign-in is failing: ~9,400 people an hour. Nobody has it yet.",
            "1",
            "prod-17",
            "somebody",
        ),
        ("Severity 1. SSOe sign-in is failing: 400 people an hour. Ada has it.", "1", "prod-17", "people"),
        (
            "Severity 2. SSOe sign-in is failing: ~9,400 people an hour. Ada has it.",
            "2",
            "prod-17",
            "severity",
        ),
        ("Severity 1. SSOe sign-in is failing: ~9,400 people an hour. Ada has it.", "1", "prod-16", "first"),
        ("People can sign in. No open incident.", "0", None, "first"),
    ],
)
def test_a_headline_that_says_something_else_is_seen(
    words: str, severity: str, link: str | None, differs_in: str
) -> None:
    said = {"words": words, "severity": severity, "link": link and f"/incidents/{link}"}
    found = differs(said, [{"id": "prod-17", "severity": 1, "people": 9431, "by": "Ada"}])
    assert differs_in in found
    assert bool(differs_in) == bool(found)


ADA, BOB = "Ada", "Bob"


def looks(said: str, headline: str, *, every: int, meanwhile: str = "") -> list[dict[str, Any]]:
    """What is read each ``every`` ms: who has it, a letter each time, by the API and by the headline.

    Args:
        said: by the API, when it is asked first.
        headline: by the page.
        meanwhile: by the API, when it is asked again; as before where it is left out.
    """
    names = {"a": ADA, "b": BOB}

    def open_(letter: str) -> list[dict[str, Any]]:
        return [{"id": "prod-17", "severity": 1, "people": 900, "by": names[letter]}]

    return [
        {
            "at": n * every, "before": open_(before), "after": open_(after),
            "severity": "1", "link": "/incidents/prod-17",
            "words": f"Severity 1. SSOe sign-in is failing: 900 people an hour. {names[page]} has it.",
        }
        for n, (before, page, after) in enumerate(zip(said, headline, meanwhile or said, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "settled", "wrong"),
    [
        (looks("aaaaaaaa", "aaaaaaaa", every=500), 8, 0),
        (looks("abbbbbbb", "aaaabbbb", every=500), 8, 0),  # late by a second and a half
        (looks("abbbbbbb", "aaaaaabb", every=500), 8, 2),  # later than that
        (looks("abbbbbbb", "aaaabbbb", every=9000), 8, 0),  # a machine too busy to tell
        (looks("aaaaaaaa", "abbaaaaa", every=500), 8, 2),  # what was never so
        (looks("aabbbbbb", "abbbbbbb", every=500, meanwhile="abbbbbbb"), 7, 0),  # it changed meanwhile
        (looks("aaaaaaaa", "bbbbbbbb", every=500), 8, 8),
        ([], 0, 0),
    ],
)
def test_a_headline_may_be_a_moment_late_and_not_more(
    seen: list[dict[str, Any]], settled: int, wrong: int
) -> None:
    found = find_disagreements(seen)
    assert (found.looks, found.settled, len(found.disagreements)) == (len(seen), settled, wrong)
