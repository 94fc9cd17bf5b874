"""How do those who watch a page hear that what it shows has changed? By a number that grows, and a wait for that."""

from __future__ import annotations

import asyncio

__all__ = ["Changes"]


class Changes:
    """The number of changes so far."""

    def __init__(self) -> None:
        self.number = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def note(self) -> None:
        """Count a change, and let those go on who wait for one."""
        self.number += 1
        waiting, self._waiting = self._waiting, set()
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def after(self, number: int) -> int:
        """Wait until there have been more than ``number`` changes, and return how many there have been."""
        while self.number <= number:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return self.number
