"""What is read as an instant can be written, and is the same when it is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import format_instant, parse_instant

FIRST, LAST = parse_instant("0001-01-01T00:00:00Z"), parse_instant("9999-12-31T23:59:59.999Z")


@given(st.one_of(st.integers(FIRST, LAST), st.sampled_from([FIRST, LAST, -1, 0])))
def test_every_instant_is_read_as_it_is_written(at: int) -> None:
    assert parse_instant(format_instant(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "2026-11-23T15:05:00-00:00",
        "2026-11-23T15:05:60Z",
        "2026-11-23T15:05:00",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


@pytest.mark.parametrize(
    ("text", "written"), [("0001-01-01T00:00:00+00:01", FIRST), ("9999-12-31T23:59:59.999-00:01", LAST)]
)
def test_what_lies_beyond_the_calendar_is_written_as_its_end(text: str, written: int) -> None:
    assert parse_instant(format_instant(parse_instant(text))) == written
