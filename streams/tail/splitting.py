"""Where do lines begin and end in bytes that come in pieces? Memory stays bounded, whatever comes."""

from __future__ import annotations

from streams.events.validation import MAX_BYTES

__all__ = ["MOST_BYTES", "LineSplitter"]

#: A longer line is left out. A login event has at most ``MAX_BYTES``; a line of a log may hold more than what is kept.
MOST_BYTES = 8 * MAX_BYTES


class LineSplitter:
    """Splits bytes into lines.

    Args:
        at: the offset of the first byte that will be fed.
        most: bytes of a line; a longer one is left out.

    Attributes:
        at: the offset of the first byte that belongs to no finished line.
        too_long: lines that were left out.
    """

    def __init__(self, at: int = 0, most: int = MOST_BYTES) -> None:
        self.at = at
        self.too_long = 0
        self._most = most
        self._parts: list[bytes] = []  # of the line that has not ended
        self._held = 0  # bytes of that line, also where they are no longer kept

    @property
    def read_to(self) -> int:
        """The offset after the last byte that was fed."""
        return self.at + self._held

    def feed(self, chunk: bytes) -> list[tuple[int, bytes]]:
        """Return the lines that end in a piece, each with the offset of its first byte; none that is blank."""
        found: list[tuple[int, bytes]] = []
        begin = 0
        while (end := chunk.find(b"\n", begin)) >= 0:
            self._keep(chunk[begin:end])
            found += self._line(end_bytes=1)
            begin = end + 1
        self._keep(chunk[begin:])
        return found

    def rest(self) -> list[tuple[int, bytes]]:
        """Return the last line, which has no end, if there is one."""
        return self._line(end_bytes=0)

    def _keep(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._most:
            self._parts = []
        elif part:
            self._parts.append(part)

    def _line(self, end_bytes: int) -> list[tuple[int, bytes]]:
        began, line = self.at, b"".join(self._parts).rstrip(b"\r")
        is_too_long = self._held > self._most
        self.too_long += is_too_long
        self.at += self._held + end_bytes
        self._parts, self._held = [], 0
        return [] if is_too_long or not line.strip() else [(began, line)]
