"""How are the records of a file read, compressed or not? A line each, or the elements of one JSON document."""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, cast

import msgspec
import zstandard

from streams.events.validation import MAX_BYTES
from streams.replay.entries import SourceError
from streams.replay.places import LinesRead

__all__ = ["open_blocks", "open_lines"]

_GZIP, _ZSTD, _UTF_16 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_MOST_BYTES = 256 << 20  # of one JSON document, which is read as a whole
#: The most bytes that are kept of a line. A longer one is rejected in any case, so its head is enough, and memory stays
#: bounded. JSON may escape one byte of a payload as six.
_LONGEST = 8 * MAX_BYTES
_BLOCK = 256 << 10  # bytes that are read at a time


@contextlib.contextmanager
def open_lines(name: str) -> Iterator[Iterator[bytes]]:
    """Open the lines of a file, one after another; else as ``open_blocks``."""
    with open_blocks(name) as blocks:
        yield chain.from_iterable(blocks)


@contextlib.contextmanager
def open_blocks(name: str, read: LinesRead | None = None) -> Iterator[Iterator[list[bytes]]]:
    """Open the lines of a file (``-`` for standard input; gzip and zstd are unpacked), without blank lines.

    They come in lists of consecutive lines, each as soon as it can be read.

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
        yield _blocks(name, stream, read or LinesRead(name))


def _blocks(name: str, stream: IO[bytes], read: LinesRead) -> Iterator[list[bytes]]:
    try:
        first = stream.readline(_LONGEST).removeprefix(_BOM)
        rest = iter(partial(_some, stream), b"")
        parts = chain((first,), rest)
        if _begins_a_document(first):
            text = first + stream.read(_MOST_BYTES)
            found = _elements(name, text)
            if found is not None:
                read.elements, read.count = True, len(found)
                yield found
                return
            parts = chain(iter(partial(io.BytesIO(text).read, _BLOCK), b""), rest)
        yielded = 0
        for lines in _lines(parts):
            kept = lines
            if not all(lines) or any(map(bytes.isspace, lines)):
                kept = []
                for line in lines:
                    if line and not line.isspace():
                        kept.append(line)
                    else:
                        read.left_out(yielded + len(kept))
            yielded += len(kept)
            yield kept
        read.count = yielded
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise SourceError(f"{name}: damaged or cut off: {error}") from None


def _some(stream: IO[bytes]) -> bytes:
    """Return what can be read without waiting for more, at most ``_BLOCK`` bytes; nothing at the end."""
    return cast("io.BufferedReader", stream).read1(_BLOCK)


def _lines(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines of a text that comes in parts, without their ends; of a line at most ``_LONGEST`` bytes."""
    begun, returns = b"", False
    for part in parts:
        returns = returns or b"\r" in part
        *lines, rest = part.split(b"\n")
        if lines:
            lines[0] = begun + lines[0][: _LONGEST - len(begun)]
            begun = b""
            yield [line.rstrip(b"\r") for line in lines] if returns else lines
        begun += rest[: _LONGEST - len(begun)]
    if begun:
        yield [begun.rstrip(b"\r")]


def _begins_a_document(first: bytes) -> bool:
    """Whether a file's first line cannot be a record by itself: it opens what it does not close, or is too long."""
    line = first.strip()
    return line[:1] in (b"[", b"{") and (line[-1:] in (b"[", b"{", b",") or len(first) == _LONGEST)


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
