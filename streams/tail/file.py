"""How are the lines of a file that grows and is rotated delivered, each at least once?

A file that was renamed, or copied and emptied (logrotate's ``copytruncate``), is known again by its first bytes, and is
read to its end before its successor. The position is written after the acknowledgement, never before.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from streams.runtime.progress import Progress, Why
from streams.tail.delivery import Deliver, Line
from streams.tail.position import HEAD_BYTES, Position, PositionFile, head_of
from streams.tail.splitting import LineSplitter

__all__ = ["FileTail"]

log = structlog.get_logger(__name__)

_CHUNK = 256 << 10
_LOOK_EVERY = 0.25  # seconds
#: A writer may go on with a file that was renamed for a while: its successor is begun this much later, seconds.
_GRACE = 2.0
_PACKED = (".gz", ".bz2", ".xz", ".zst")


class FileTail:
    """Delivers the lines of a file.

    Args:
        path: the file; ``path.*`` and ``path-*`` beside it are what it was rotated to.
        positions: keeps how far it was delivered.
        deliver: puts lines onto the topic.
        progress: is told if the file cannot be read.
        from_end: whether a file without a position is read from its end on.
        too_long: counts lines that are too long.
        monotonic: seconds that never go back.
        sleep: sleeps for seconds.
    """

    def __init__(
        self,
        path: Path,
        positions: PositionFile,
        deliver: Deliver,
        progress: Progress,
        *,
        from_end: bool = False,
        too_long: Callable[[int], None] = lambda count: None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._positions = positions
        self._deliver = deliver
        self._progress = progress
        self._from_end = from_end
        self._count_too_long = too_long
        self._monotonic = monotonic
        self._sleep = sleep
        self._stream: BinaryIO | None = None
        self._splitter = LineSplitter()
        self._birth = ""
        self._head = (0, "")  # bytes, and their digest
        self._after = 0  # when the file that was read before was changed last, ns
        self._rotated_at: float | None = None
        self._stopped = False

    async def run(self) -> None:
        """Deliver lines until ``stop``."""
        try:
            while not self._stopped:
                await self.look()
                if not self._stopped:
                    await self._sleep(_LOOK_EVERY)
        finally:
            self.close()

    async def stop(self) -> None:
        """Read no further; the lines that were read are delivered first."""
        self._stopped = True

    async def look(self) -> None:
        """Deliver all lines that have ended, of the file and of those that follow it. Never raises for a file."""
        try:
            while not self._stopped and await self._read_on():
                pass
            self._progress.going(Why.PARTITION, str(self._path))
        except OSError as error:
            self._progress.stuck(
                Why.PARTITION,
                f"{error.filename or self._path} cannot be read or written: {error.strerror or error}",
                key=str(self._path),
                remedy="see that the file exists and that this user may read it, and may write the position beside it "
                "(--position names another file)",
            )

    # -- reading ------------------------------------------------------------------------------------------------

    async def _read_on(self) -> bool:
        """Deliver one piece, or go over to the next file; whether there may be more."""
        if self._stream is None:
            self._begin()
            return True
        stream = self._stream
        if self._was_emptied(stream):
            self._after_emptying()
            return True
        chunk = os.pread(stream.fileno(), _CHUNK, self._splitter.read_to)
        if chunk:
            self._rotated_at = None
            await self._take(self._splitter.feed(chunk))
            return True
        return await self._go_over(stream)

    async def _take(self, found: list[tuple[int, bytes]]) -> None:
        if found:
            await self._deliver([Line(text, f"tail/{self._birth}/{at}") for at, text in found])
        self._count_too_long(self._splitter.too_long)
        self._splitter.too_long = 0
        self._save()

    async def _go_over(self, stream: BinaryIO) -> bool:
        """At the end of a file: go over to its successor, if it has one; whether that was done."""
        following = self._successor(stream)
        if following is None:
            self._rotated_at = None
            return False
        if self._rotated_at is None:
            self._rotated_at = self._monotonic()
        if self._monotonic() - self._rotated_at < _GRACE:
            return False
        await self._take(self._splitter.rest())
        if self._splitter.read_to:  # else this one is not read yet: its copy is older
            self._after = os.fstat(stream.fileno()).st_mtime_ns
        self._open(following, 0, None)
        return True

    # -- which file ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open the file that was read last, or the one of the path."""
        try:
            known = self._positions.load()
        except ValueError:
            log.warning(
                "position_unreadable", file=str(self._positions.path), begins="at the file's beginning"
            )
            known = None
        if known is None:
            at = os.stat(self._path).st_size if self._from_end else 0
            self._after = self._last_change()
            self._open(self._path, at, None)
            return
        self._after = known.after
        found = self._find(known)
        if found is None:
            os.stat(self._path)  # without any file there is nothing to begin with
            log.warning(
                "position_lost",
                file=str(self._path),
                offset=known.offset,
                say="the file that was read last is gone or packed: give its rest to `watchofficer produce`",
            )
            self._after = self._last_change()
            self._open(self._path, 0, None)
        else:
            self._open(found, known.offset, known.birth)

    def _open(self, path: Path, at: int, birth: str | None) -> None:
        stream = path.open("rb")
        self.close()
        self._stream = stream
        self._splitter = LineSplitter(at)
        self._birth = birth or secrets.token_hex(8)
        self._head = (0, "")
        self._rotated_at = None
        self._save()  # before anything is sent: a restart names lines alike

    def close(self) -> None:
        """Close the file that is open, if there is one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _save(self) -> None:
        stream = self._stream
        assert stream is not None
        count = min(HEAD_BYTES, self._splitter.at)
        if count != self._head[0]:
            self._head = (count, head_of(stream.fileno(), count))
        self._positions.save(self._position())

    def _position(self) -> Position:
        head_bytes, head = self._head
        return Position(
            birth=self._birth, after=self._after, offset=self._splitter.at, head_bytes=head_bytes, head=head
        )

    def _was_emptied(self, stream: BinaryIO) -> bool:
        if os.fstat(stream.fileno()).st_size < self._splitter.read_to:
            return True
        return self._head[0] > 0 and head_of(stream.fileno(), self._head[0]) != self._head[1]

    def _after_emptying(self) -> None:
        """A file was emptied: read what it held in its copy, if there is one, else begin anew."""
        known = self._position()
        copy = self._find(known)
        if copy is None:
            log.warning(
                "file_emptied", file=str(self._path), offset=known.offset, say="the rest of it is not read"
            )
            self._after = self._last_change()
            self._open(self._path, 0, None)
        else:
            self._open(copy, known.offset, known.birth)

    def _find(self, known: Position) -> Path | None:
        """Return where a file is now of which the position is known: the one that begins alike."""
        if known.head_bytes == 0:  # nothing of it is known but that it comes after another
            return self._changed_after(known.after) or (self._path if self._path.exists() else None)
        for path in (self._path, *self._rotated()):
            try:
                with path.open("rb") as stream:
                    is_long = os.fstat(stream.fileno()).st_size >= known.offset
                    if is_long and head_of(stream.fileno(), known.head_bytes) == known.head:
                        return path
            except FileNotFoundError:
                continue
        return None

    def _changed_after(self, instant: int) -> Path | None:
        """Return the file that was rotated first of those that were changed after an instant, ns."""
        found = [(path.stat(), path) for path in self._rotated()]
        later = [(one.st_mtime_ns, path) for one, path in found if one.st_size and one.st_mtime_ns > instant]
        return min(later)[1] if later else None

    def _last_change(self) -> int:
        return max((path.stat().st_mtime_ns for path in self._rotated()), default=0)

    def _rotated(self) -> Iterator[Path]:
        name = re.compile(re.escape(self._path.name) + r"[.-].+")
        own = self._positions.path.name
        for entry in os.scandir(self._path.parent):
            is_other = entry.name.endswith(_PACKED) or entry.name.startswith(own)
            if name.fullmatch(entry.name) and not is_other and entry.is_file():
                yield self._path.with_name(entry.name)

    def _successor(self, stream: BinaryIO) -> Path | None:
        """Return the file that was begun after an open one was rotated; None while that is the one of the path."""
        mine = os.fstat(stream.fileno())
        try:
            is_current = os.stat(self._path).st_ino == mine.st_ino
        except FileNotFoundError:
            return None  # renamed, and its successor not made yet
        if is_current:
            # Emptied before it was read: what it held stands in its copy.
            return self._changed_after(self._after) if not self._splitter.read_to else None
        return self._changed_after(max(self._after, mine.st_mtime_ns)) or self._path
