"""The page of how receivers show an outage is what they show."""

from __future__ import annotations

from tests.sinks.looks.gallery import PAGE, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.sinks.looks.gallery"
