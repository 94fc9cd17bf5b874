"""Lines in bytes that come in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.tail.splitting import LineSplitter

BYTES = st.text(alphabet="ab\r\n ", max_size=40).map(str.encode)


def expected(whole: bytes, most: int) -> list[tuple[int, bytes]]:
    """The lines by a split of the whole."""
    found, at = [], 0
    for line in whole.split(b"\n"):
        if len(line) <= most and line.strip():
            found.append((at, line.rstrip(b"\r")))
        at += len(line) + 1
    return found


@given(st.lists(BYTES, max_size=6), st.integers(1, 8))
def test_lines_do_not_depend_on_the_pieces_and_say_where_they_begin(pieces: list[bytes], most: int) -> None:
    splitter, whole = LineSplitter(100, most), b"".join(pieces)
    found = [line for piece in pieces for line in splitter.feed(piece)]
    assert splitter.read_to == 100 + len(whole)
    assert splitter.at == 100 + whole.rfind(b"\n") + 1
    found += splitter.rest()
    assert found == [(100 + at, line) for at, line in expected(whole, most)]
    assert splitter.too_long == sum(len(line) > most for line in whole.split(b"\n"))


def test_a_line_without_an_end_is_not_kept_beyond_its_bound() -> None:
    splitter = LineSplitter(most=1_000)
    for _ in range(100):
        assert splitter.feed(b"x" * 100) == []
    assert sum(map(len, splitter._parts)) <= 1_000
    assert splitter.feed(b"\nnext\n") == [(10_001, b"next")]
    assert splitter.too_long == 1
