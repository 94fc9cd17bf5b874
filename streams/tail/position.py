"""How far was a file read, and which file was that? Kept in a small file, so that a restart loses nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

__all__ = ["HEAD_BYTES", "Position", "PositionFile", "head_of"]

#: By so many bytes of its beginning a file is known again, wherever it was renamed or copied to.
HEAD_BYTES = 1024
_MOST_BYTES = 4096


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file was delivered.

    Attributes:
        birth: names this file's content: another one for each file, and after a file was emptied.
        after: when the file that was read before was changed last, ns since 1970: its successor was changed later.
        offset: the first byte that has not been delivered.
        head_bytes: of how many bytes ``head`` is.
        head: SHA-256 of the first bytes, in hex.
    """

    birth: str
    after: int
    offset: int
    head_bytes: int
    head: str


def head_of(descriptor: int, count: int) -> str:
    """Return the SHA-256 of the first ``count`` bytes of an open file, in hex.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(os.pread(descriptor, count, 0)).hexdigest()


class PositionFile:
    """Keeps a position on the disk.

    Args:
        path: the file, which is replaced as a whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Position | None:
        """Return the position; None if there is none.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file holds no position.
        """
        try:
            with self.path.open("rb") as file:
                return msgspec.json.decode(file.read(_MOST_BYTES), type=Position)
        except FileNotFoundError:
            return None

    def save(self, position: Position) -> None:
        """Replace the position; it then survives a crash of the machine.

        Raises:
            OSError: the file cannot be written.
        """
        fresh = self.path.with_name(f"{self.path.name}.new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
