"""The chart of an outage is a PNG that shows the share that fails and the people, whatever was measured."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.instants import HOUR, MINUTE
from sinks.chart.outage import HEIGHT, WIDTH, Measured, draw
from sinks.chart.raster import Picture, text_width

UNTIL = 1_795_446_300_000
RED, BLUE = (179, 38, 30), (37, 99, 168)


def pixels(png: bytes) -> NDArray[np.uint8]:
    """What a reader of PNG sees: each chunk's sum is checked, and the rows have no filter."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, kinds = 8, b"", []
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(png[at + 4 : at + 8 + size]),)
        packed += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        kinds.append(kind)
        at += size + 12
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack_from(">II", png, 16)
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * 3)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def near(seen: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(seen.astype(int) - colour).max(axis=2) < 70)


def test_the_line_rises_where_sign_ins_began_to_fail() -> None:
    outage = [
        Measured(UNTIL - HOUR + n * 2 * MINUTE, 0.0 if n < 15 else 1.0, 0 if n < 15 else 900)
        for n in range(31)
    ]
    seen = pixels(draw("SSOe sign-in is failing", outage, until=UNTIL, began=UNTIL - 30 * MINUTE))
    assert seen.shape == (HEIGHT, WIDTH, 3)
    top = near(seen, RED)[58:66]  # the line at 100 %
    assert not top[:, 80:380].any()
    assert top[:, 430:-20].any(axis=0).all()
    assert near(seen, BLUE)[198:206, 430:-20].any(axis=0).all()  # the line of the people, at their most
    (began,) = np.flatnonzero((seen[62:65, 74:-18] == (27, 31, 36)).all(axis=(0, 2)))
    assert abs(began - (WIDTH - 92) / 2) <= 1


def test_a_pause_without_sign_ins_is_no_line() -> None:
    held = [Measured(UNTIL - HOUR + n * MINUTE, 1.0, 5) for n in range(61) if not 20 < n < 40]
    drawn = np.asarray(near(pixels(draw("x", held, until=UNTIL)), RED)[58:66, 74:-18].any(axis=0))
    wide = len(drawn)
    assert drawn[: wide // 4].all()
    assert not drawn[wide * 27 // 60 : wide * 33 // 60].any()
    assert drawn[-wide // 4 :].all()


@settings(max_examples=20)
@given(
    st.text(max_size=200),
    st.lists(
        st.builds(
            Measured,
            st.integers(UNTIL - 2 * HOUR, UNTIL + HOUR),
            st.none() | st.floats(0, 1),
            st.none() | st.integers(0, 10**7),
        ),
        max_size=60,
    ).map(lambda measured: sorted(measured, key=lambda one: one.at)),
    st.none() | st.integers(UNTIL - 2 * HOUR, UNTIL + HOUR),
)
def test_anything_that_was_measured_can_be_drawn(
    title: str, measured: list[Measured], began: int | None
) -> None:
    png = draw(title, measured, until=UNTIL, began=began)
    assert pixels(png).shape == (HEIGHT, WIDTH, 3)
    assert len(png) < 60_000


def test_a_line_of_text_ends_at_the_edge_and_says_that_it_does_not_know_a_letter() -> None:
    assert text_width("é☃") == text_width("??")
    picture = Picture(40, 30, (255, 255, 255))
    picture.text(0, 0, "W" * 200, (0, 0, 0))
    assert pixels(picture.png()).min() == 0
