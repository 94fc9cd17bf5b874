"""Which lines does a file hold? The same however it is cut into blocks, and packed or not."""

from __future__ import annotations

import gzip
from itertools import chain
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.replay import files
from streams.replay.files import open_blocks, open_lines
from streams.replay.places import LinesRead

_PIECES = st.sampled_from([b"a", b"bc", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"0123456789" * 3])


def _expected(text: bytes, longest: int) -> list[tuple[int, bytes]]:
    """The number (from 1) and the text of each line that is not blank."""
    lines = [(n, line[:longest].rstrip(b"\r")) for n, line in enumerate(text.split(b"\n"), 1)]
    return [(n, line) for n, line in lines if line and not line.isspace()]


@given(text=st.lists(_PIECES, max_size=40).map(b"".join), block=st.integers(1, 20))
def test_lines_are_the_same_however_a_file_is_cut_into_blocks(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "events"
    path.write_bytes(text)
    read = LinesRead("events")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BLOCK", block)
        patch.setattr(files, "_LONGEST", 20)
        with open_blocks(str(path), read) as blocks:
            found = list(chain.from_iterable(blocks))
    expected = _expected(text, 20)
    assert found == [line for _, line in expected]
    assert [read.of(n) for n in range(len(found))] == [f"events:{n}" for n, _ in expected]
    assert read.count == len(found)


def test_lines_of_packed_files_are_those_of_the_file(tmp_path: Path) -> None:
    text = b"".join(b'{"n": %d}\n' % n for n in range(50_000))
    packed = {"plain": text, "e.gz": gzip.compress(text), "e.zst": zstandard.ZstdCompressor().compress(text)}
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
        with open_lines(str(tmp_path / name)) as lines:
            assert b"\n".join(lines) == text.rstrip()
