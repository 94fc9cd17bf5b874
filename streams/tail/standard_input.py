"""How are the lines of standard input delivered? A pipe is read no faster than the broker acknowledges."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable

from streams.tail.delivery import Deliver, Line
from streams.tail.splitting import LineSplitter

__all__ = ["StandardInput"]

_CHUNK = 64 << 10


class StandardInput:
    """Delivers the lines of a descriptor until its end.

    Args:
        deliver: puts lines onto the topic.
        too_long: counts lines that are too long.
        descriptor: what is read.
    """

    def __init__(self, deliver: Deliver, too_long: Callable[[int], None], descriptor: int = 0) -> None:
        self._deliver = deliver
        self._count_too_long = too_long
        self._descriptor = descriptor
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
        self._stopping = asyncio.Event()
        self._birth = secrets.token_hex(8)

    async def run(self) -> None:
        """Deliver lines until the end of the input, or ``stop``."""
        loop = asyncio.get_running_loop()
        # A thread that does not keep the process alive: nothing ends a read of a terminal or an idle pipe.
        threading.Thread(target=self._read, args=(loop,), daemon=True, name="standard input").start()
        splitter = LineSplitter()
        while chunk := await self._next():
            await self._take(splitter, splitter.feed(chunk))
        await self._take(splitter, splitter.rest())

    async def stop(self) -> None:
        """Take nothing new."""
        self._stopping.set()

    async def _next(self) -> bytes:
        """Return the next piece; empty at the end, and once ``stop`` was called and what was read is taken."""
        getting, stopping = (
            asyncio.create_task(self._chunks.get()),
            asyncio.create_task(self._stopping.wait()),
        )
        await asyncio.wait({getting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if getting.done():
            return getting.result()
        getting.cancel()
        return b""

    async def _take(self, splitter: LineSplitter, found: list[tuple[int, bytes]]) -> None:
        if found:
            await self._deliver([Line(text, f"tail/{self._birth}/{at}") for at, text in found])
        self._count_too_long(splitter.too_long)
        splitter.too_long = 0

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = os.read(self._descriptor, _CHUNK)
            except OSError:
                chunk = b""
            with contextlib.suppress(RuntimeError):  # the loop has ended
                asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), loop).result()
