"""Texts are cut by the bytes that they take in JSON, and never inside a character."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.bounds import cut, fits

#: Characters of one to four bytes, and such that JSON writes as two or six.
WORST = st.text(st.sampled_from('a"\\\n\x00\x1f\x7fé語😀'), max_size=300)


@given(text=WORST | st.text(max_size=100), limit=st.integers(3, 400))
def test_what_is_cut_takes_no_more_bytes_than_allowed_and_is_a_beginning(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(msgspec.json.encode(short)) - 2 <= limit
    if len(msgspec.json.encode(text)) - 2 <= limit:
        assert short == text
    else:
        assert short.endswith("…")
        assert text.startswith(short[:-1])


@given(text=WORST)
def test_as_much_is_kept_as_fits(text: str) -> None:
    limit = len(msgspec.json.encode(text)) - 2
    assert fits(text, limit)
    assert not fits(text + "a", limit)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("語語語語", 9, "語語…"), ("aaaa", 4, "aaaa"), ('""""', 6, '"…'), ("😀😀", 6, "…"), ("😀😀", 7, "😀…")],
)
def test_examples(text: str, limit: int, short: str) -> None:
    assert cut(text, limit) == short
