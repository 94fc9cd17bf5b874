"""How do facts stand in a file, so that a month of events can be judged again without reading the events?

A recording is a head, a frame for each stretch and a foot, compressed with zstd, and behind these the number of events.
Each frame is a length of four bytes and MessagePack. The rows of an environment stand in it as in a segment.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import fields
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import zstandard

from detectors.windows.facts import FactRow
from streams.aggregate.acceptance import Rules
from streams.replay.entries import SourceError
from streams.replay.facts.stretch import EVERYTHING, Facts, Share, Stretch
from streams.replay.summary import Summary
from streams.segments.rows import pack, read

__all__ = ["RecordedFacts", "WrittenFacts", "decode_stretch", "encode_stretch", "recorded_events"]

_MAGIC, _VERSION = "watchofficer facts", 1
_LENGTH = struct.Struct("<I")
#: What stands behind the compressed part, so that the number of events is known at once.
_EVENTS, _EVENTS_MAGIC = struct.Struct("<8sQ"), b"wofacts1"
#: A frame holds five minutes of one input at most; one that claims to be longer is damage.
_MOST_BYTES = 1 << 30
#: These say which values have room in a block of a segment; a recording has no blocks.
_OF_BLOCKS = {"envs", "max_envs"}


class _Frame(msgspec.Struct, array_like=True, tag="stretch", frozen=True):
    """A ``Stretch`` as it is written, and how many events had been read by its end."""

    to: int
    begins: int | None
    doubted: list[tuple[int, int]]
    unread: list[tuple[int, int]]
    events: int
    rows: list[dict[str, msgspec.Raw]]


class _Head(msgspec.Struct, array_like=True, tag="head", frozen=True):
    magic: str
    version: int
    rules: Rules


class _Foot(msgspec.Struct, array_like=True, tag="foot", frozen=True):
    summary: Summary


_encoder = msgspec.msgpack.Encoder()
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_frame = msgspec.msgpack.Decoder(_Frame | _Foot).decode


def encode_stretch(stretch: Stretch, rules: Rules, events: int, envs: Share) -> bytes:
    """Return a stretch as bytes, with the rows of ``envs`` alone, but for its verdicts.

    Args:
        stretch: the stretch.
        rules: by which its facts were made.
        events: how many events have been read by its end.
        envs: the environments whose rows are kept.
    """
    further = rules.fields.further
    rows = [
        {
            env: msgspec.Raw(_encoder.encode(pack(some, further)))
            for env, some in of_envs.items()
            if env in envs
        }
        for of_envs in stretch.rows
    ]
    return _encoder.encode(_Frame(stretch.to, stretch.begins, stretch.doubted, stretch.unread, events, rows))


def decode_stretch(frame: bytes, rules: Rules) -> tuple[Stretch, int]:
    """Return the stretch that ``encode_stretch`` wrote, and how many events have been read by its end.

    Raises:
        ValueError: it is no frame of a stretch.
    """
    found = _decode_frame(frame)
    if not isinstance(found, _Frame):
        raise ValueError("not a stretch of facts")
    return _opened(found, rules), found.events


def _opened(frame: _Frame, rules: Rules) -> Stretch:
    axes, further = rules.fields.axes, rules.fields.further

    def opened(sealed: msgspec.Raw) -> list[FactRow]:
        return read(sealed, axes, axes, further)

    rows = [{env: opened(sealed) for env, sealed in one.items()} for one in frame.rows]
    return Stretch(frame.to, rows, frame.begins, frame.doubted, frame.unread)


class WrittenFacts(Facts):
    """Facts that are written to a file as they are read.

    Args:
        facts: where the facts come from.
        name: the file; what it holds is replaced.
    """

    def __init__(self, facts: Facts, name: str) -> None:
        self._facts = facts
        self._name = name
        self.rules, self.summary = facts.rules, facts.summary

    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches, each after it has been written.

        Raises:
            SourceError: the file cannot be written.
        """
        with ExitStack() as stack:
            try:
                file = stack.enter_context(Path(self._name).open("wb"))
            except OSError as error:
                raise SourceError(f"{self._name}: {error.strerror}") from None
            with zstandard.ZstdCompressor(3).stream_writer(file, closefd=False) as out:
                _write(out, _encoder.encode(_Head(_MAGIC, _VERSION, self.rules)))
                for stretch in self._facts.stretches():
                    _write(out, encode_stretch(stretch, self.rules, self.summary.events, EVERYTHING))
                    yield stretch
                _write(out, _encoder.encode(_Foot(self.summary)))
            file.write(_EVENTS.pack(_EVENTS_MAGIC, self.summary.events))


def _write(out: Any, frame: bytes) -> None:
    out.write(_LENGTH.pack(len(frame)))
    out.write(frame)


def recorded_events(name: str) -> int | None:
    """Return how many events the facts in a file were made of; None if the file does not say."""
    try:
        with Path(name).open("rb") as file:
            file.seek(-_EVENTS.size, SEEK_END)
            magic, events = _EVENTS.unpack(file.read())
    except OSError:  # also of a file that is shorter; whoever reads it says why
        return None
    return int(events) if magic == _EVENTS_MAGIC else None


class RecordedFacts(Facts):
    """The facts in a file that ``WrittenFacts`` wrote.

    Args:
        name: the file.
        rules: of the policy that judges them.

    Raises:
        SourceError: the file cannot be read, is no recording of facts, or was recorded by other rules than the policy
            that judges it has.
    """

    def __init__(self, name: str, rules: Rules) -> None:
        self.rules = rules
        self.summary = Summary()
        self._name = name
        with closing(self._frames()) as frames:
            self._check(next(frames, b""))

    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches in the order of their T.

        Raises:
            SourceError: the file is damaged, or ends before the facts do.
        """
        frames = self._frames()
        next(frames, None)
        try:
            for frame in frames:
                found = _decode_frame(frame)
                if isinstance(found, _Foot):
                    vars(self.summary).update(vars(found.summary))
                    return
                self.summary.events = found.events
                yield _opened(found, self.rules)
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            raise SourceError(f"{self._name}: damaged: {error}") from None
        raise SourceError(
            f"{self._name}: ends before the facts do: the replay that wrote it was stopped; write it once more"
        )

    def _frames(self) -> Generator[bytes, None, None]:
        """Yield the frames of the file, the head first."""
        try:
            with (
                Path(self._name).open("rb") as file,
                zstandard.ZstdDecompressor().stream_reader(file) as reader,
            ):
                stream = cast("IO[bytes]", reader)
                while head := _read(stream, _LENGTH.size):
                    (length,) = _LENGTH.unpack(head)
                    if length > _MOST_BYTES:
                        raise SourceError(f"{self._name}: damaged: a frame of {length:,} bytes")
                    yield _read(stream, length)
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror}") from None
        except (zstandard.ZstdError, struct.error) as error:
            raise SourceError(f"{self._name}: not a recording of facts, or damaged: {error}") from None

    def _check(self, head: bytes) -> None:
        try:
            found = _decode_head(head)
        except msgspec.MsgspecError:
            found = None
        if found is None or found.magic != _MAGIC:
            raise SourceError(
                f"{self._name}: not a recording of facts: give what replay --write-facts has written"
            )
        if found.version != _VERSION:
            raise SourceError(
                f"{self._name}: recorded in form {found.version}, this version reads {_VERSION}: "
                "record the events once more"
            )
        other = [
            one.name
            for one in fields(Rules)
            if one.name not in _OF_BLOCKS and getattr(found.rules, one.name) != getattr(self.rules, one.name)
        ]
        if other:
            raise SourceError(
                f"{self._name}: recorded by other rules than those of this policy ({', '.join(other)}), on which "
                "facts depend: replay the events by this policy"
            )


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read ``size`` bytes, or all that are left if these are fewer."""
    parts: list[bytes] = []
    left = size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
