"""How is a picture made of areas and text? As an array of pixels, and from it a PNG; zlib and numpy are all it takes.

The letters stand in ``glyphs.png`` beside this module: those of ASCII of Pillow's default font (Aileron, CC0), one
after the other, above each a row whose bright pixels say where one begins.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colour", "Picture", "png_of", "text_width"]

Colour = tuple[int, int, int]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FIRST, _LAST = 32, 126
_TRUECOLOUR = 2


class Picture:
    """A picture of ``width`` × ``height`` pixels, of one colour first. Places are pixels from its upper left corner."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width = width
        self.height = height
        self._pixels: NDArray[np.float32] = np.full((height, width, 3), colour, np.float32)

    def band(
        self,
        left: int,
        top: NDArray[np.float64],
        bottom: NDArray[np.float64],
        colour: Colour,
        strength: float = 1.0,
    ) -> None:
        """Colour each column from ``left`` on between its ``top`` and its ``bottom``; edges within a pixel are mixed.

        Args:
            left: the first column.
            top, bottom: a place for each column; nothing is coloured where either is no number.
            colour: of the band.
            strength: how much it covers what was there, 0-1.
        """
        if np.isnan(top - bottom).all():
            return
        first, after = max(int(np.nanmin(top)), 0), min(int(np.nanmax(bottom)) + 1, self.height)
        rows = np.arange(first, after, dtype=np.float64)[:, None]
        covered = np.clip(np.minimum(bottom, rows + 1) - np.maximum(top, rows), 0.0, 1.0)
        self._mix(np.nan_to_num(covered) * strength, left, first, colour)

    def box(
        self, left: int, top: int, right: int, bottom: int, colour: Colour, strength: float = 1.0
    ) -> None:
        """Colour a rectangle."""
        self._mix(np.full((bottom - top, right - left), strength), left, top, colour)

    def text(self, left: int, top: int, words: str, colour: Colour) -> None:
        """Write one line, as much of it as there is room for; a character that is not in ASCII is a question mark."""
        for glyph in map(_glyph, words):
            if left + glyph.shape[1] > self.width:
                return
            self._mix(glyph, left, top, colour)
            left += glyph.shape[1]

    def png(self) -> bytes:
        """The picture as PNG."""
        return png_of(np.rint(self._pixels).astype(np.uint8))

    def _mix(self, share: NDArray[np.floating], left: int, top: int, colour: Colour) -> None:
        part = self._pixels[top : top + share.shape[0], left : left + share.shape[1]]
        share = share[: part.shape[0], : part.shape[1], None]
        part += (np.asarray(colour, np.float32) - part) * share.astype(np.float32)


def text_width(words: str) -> int:
    """How wide a line is, pixels."""
    return sum(_glyph(one).shape[1] for one in words)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (height, width, red green blue) as PNG."""
    height, width, _ = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _TRUECOLOUR, 0, 0, 0)
    # Each row begins with its filter: 0, none.
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)])
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _glyph(letter: str) -> NDArray[np.float32]:
    code = ord(letter)
    return _glyphs()[(code if _FIRST <= code <= _LAST else ord("?")) - _FIRST]


@cache
def _glyphs() -> tuple[NDArray[np.float32], ...]:
    """How much of each pixel a letter covers, 0-1, from the space on."""
    data = Path(__file__).with_name("glyphs.png").read_bytes()
    width, height = struct.unpack_from(">II", data, 16)
    at, packed = len(_SIGNATURE), b""
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)[:, 1:]
    begins = [*np.flatnonzero(rows[0]).tolist(), width]
    covered = (rows[1:] / 255).astype(np.float32)
    return tuple(covered[:, first:after] for first, after in pairwise(begins))
