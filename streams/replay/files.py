"""How are the records of a file read, compressed or not? A line each, or the elements of one JSON document."""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, cast

import msgspec
import zstandard

from streams.events.validation import MAX_BYTES
from streams.replay.entries import SourceError
from streams.replay.places import LinesRead

__all__ = ["open_lines"]

_GZIP, _ZSTD, _UTF_16 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_MOST_BYTES = 256 << 20  # of one JSON document, which is read as a whole


@contextlib.contextmanager
def open_lines(name: str, read: LinesRead | None = None) -> Iterator[Iterator[bytes]]:
    """Open the lines of a file (``-`` for standard input; gzip and zstd are unpacked), without blank lines.

    A file that is one JSON document over many lines, as exports are, yields its elements: those of an array, or of the
    one array in an object, each in an object like it; else the object.

    Args:
        name: the file.
        read: keeps account of which lines were blank.

    Raises:
        SourceError: the file does not exist, may not be read, or is damaged (also while reading).
    """
    with contextlib.ExitStack() as stack:
        try:
            opened = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            raw = (
                opened
                if isinstance(opened, io.BufferedReader)
                else io.BufferedReader(cast(io.RawIOBase, opened))
            )
            head = raw.peek(len(_ZSTD))
        except OSError as error:
            remedy = "name a file that can be read, or - for standard input"
            raise SourceError(f"{name}: {error.strerror}; {remedy}") from None
        stream: IO[bytes] = raw
        if name.endswith(".gz") or head.startswith(_GZIP):
            stream = cast("IO[bytes]", stack.enter_context(gzip.open(raw, "rb")))
        elif name.endswith(".zst") or head.startswith(_ZSTD):
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            stream = stack.enter_context(io.BufferedReader(reader, 1 << 20))
        elif head.startswith(_UTF_16):
            raise SourceError(f"{name}: is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {name}")
        yield _lines(name, stream, read or LinesRead(name))


def _lines(name: str, stream: IO[bytes], read: LinesRead) -> Iterator[bytes]:
    # A line over the limit is rejected in any case, so its head is enough, and memory stays bounded. JSON may escape
    # one byte of a payload as six.
    limit, yielded = 8 * MAX_BYTES, 0
    try:
        first = stream.readline(limit).removeprefix(_BOM)
        if _begins_a_document(first, limit):
            text = first + stream.read(_MOST_BYTES)
            found = _elements(name, text)
            if found is not None:
                read.elements, read.count = True, len(found)
                yield from found
                return
            stream = io.BytesIO(text)
            first = stream.readline(limit)
        for line in chain((first,) if first else (), iter(partial(stream.readline, limit), b"")):
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


def _begins_a_document(first: bytes, limit: int) -> bool:
    """Whether a file's first line cannot be a record by itself: it opens what it does not close, or is too long."""
    line = first.strip()
    return line[:1] in (b"[", b"{") and (line[-1:] in (b"[", b"{", b",") or len(first) == limit)


def _elements(name: str, text: bytes) -> list[bytes] | None:
    """Return the records of a JSON document, each on one line; None if it is none.

    Raises:
        SourceError: it is too large.
    """
    if len(text) > _MOST_BYTES:
        raise SourceError(
            f"{name}: begins like a JSON document, of more than {_MOST_BYTES >> 20} MiB; "
            "write a record a line: jq -c '.[]'"
        )
    try:
        found = msgspec.json.decode(text, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found, dict):
        arrays = [key for key, value in found.items() if bytes(value)[:1] == b"["]
        if len(arrays) != 1 or any(bytes(value)[:1] == b"{" for value in found.values()):
            return [msgspec.json.format(text, indent=-1)]
        (key,) = arrays
        each = msgspec.json.decode(found[key], type=list[msgspec.Raw])
        found = [msgspec.Raw(msgspec.json.encode(found | {key: [one]})) for one in each]
    return [msgspec.json.format(bytes(one), indent=-1) for one in found]
