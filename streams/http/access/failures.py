"""Which addresses have sent too many wrong tokens of late?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["FAILURES_SECONDS", "FailedTokens"]

#: So many wrong tokens of an address in so many seconds are answered; its further tokens are then not looked at.
_MOST, FAILURES_SECONDS = 10, 60.0
_MOST_PEERS = 1_000


class FailedTokens:
    """Counts wrong tokens by address. What is kept is bounded: the address that was counted first is forgotten.

    Args:
        monotonic: seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at: dict[str, deque[float]] = {}

    def note(self, peer: str) -> None:
        """Count a wrong token."""
        self._at.setdefault(peer, deque(maxlen=_MOST)).append(self._monotonic())
        if len(self._at) > _MOST_PEERS:
            del self._at[next(iter(self._at))]

    def too_many(self, peer: str) -> bool:
        """Whether an address has sent too many."""
        known = self._at.get(peer)
        if known is None or len(known) < _MOST:
            return False
        return self._monotonic() - known[0] < FAILURES_SECONDS
