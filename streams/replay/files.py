"""How are the lines of a file of events read, compressed or not?"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import zstandard

from streams.events.validation import MAX_BYTES
from streams.replay.entries import SourceError
from streams.replay.places import LinesRead

__all__ = ["open_lines"]


@contextlib.contextmanager
def open_lines(name: str, read: LinesRead | None = None) -> Iterator[Iterator[bytes]]:
    """Open the lines of a file (``-`` for standard input; ``.gz`` and ``.zst`` are unpacked), without blank lines.

    Args:
        name: the file.
        read: keeps account of which lines were blank.

    Raises:
        SourceError: the file does not exist, may not be read, or is damaged (also while reading).
    """
    with contextlib.ExitStack() as stack:
        try:
            raw: IO[bytes] = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise SourceError(f"{name}: {error.strerror}") from None
        stream: IO[bytes] = raw
        if name.endswith(".gz"):
            stream = cast("IO[bytes]", stack.enter_context(gzip.open(raw, "rb")))
        elif name.endswith(".zst"):
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            stream = stack.enter_context(io.BufferedReader(reader, 1 << 20))
        yield _lines(name, stream, read or LinesRead(name))


def _lines(name: str, stream: IO[bytes], read: LinesRead) -> Iterator[bytes]:
    # A line over the limit is rejected in any case, so its head is enough, and memory stays bounded. JSON may escape
    # one byte of a payload as six.
    limit, yielded = 8 * MAX_BYTES, 0
    try:
        while line := stream.readline(limit):
            if len(line) == limit and not line.endswith(b"\n"):
                while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                    pass
            line = line.rstrip(b"\r\n")
            if line and not line.isspace():
                yield line
                yielded += 1
            else:
                read.left_out(yielded)
        read.count = yielded
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise SourceError(f"{name}: damaged or cut off: {error}") from None
