"""Which alerts of a blind watch do other processes still need, so that this one must not resolve them?

Each worker writes to `watch-state` what it says, whenever that changes and at least each 10 s (``EVERY``). One that
ends says so. One that has fallen silent is dead, stands still, or is cut off from the broker: it may still say what it
said last, and a cause of blindness that nobody hears here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streams.records.progress import Spoken, spoken_in
from streams.watchdog.blindness import CAUSES

__all__ = ["EVERY", "FORGOTTEN_AFTER", "Peers"]

#: Workers say what they say at least so often, seconds.
EVERY = 10.0
#: Who has written nothing for so long, seconds, is silent: less than what has to stand for ``blind_after`` to be said.
_SILENT_AFTER = 1.5 * EVERY
#: Who has written nothing for so long, seconds, is dead: a worker that is only cut off is mended or restarted by then.
FORGOTTEN_AFTER = 600.0
_CAUSES = frozenset(why.value for why in CAUSES)


@dataclass
class _Peer:
    """The last words of another process.

    Attributes:
        blind: the kinds of blindness that it said last.
        heard_at: when that was read, monotonic seconds.
        fresh: whether it had just been written then, and did not stand on the topic when this process started.
    """

    blind: frozenset[str]
    heard_at: float
    fresh: bool


class Peers:
    """The other processes of this deployment. Safe to use from any thread.

    Args:
        own: the name of this process, whose own words, also those before its last start, are no other's.
        monotonic: seconds that never go back.
        complete: whether all words have been read that stood on the topic when this process started.
    """

    def __init__(self, own: str, monotonic: Callable[[], float], complete: Callable[[], bool]) -> None:
        self._own = own
        self._monotonic = monotonic
        self._complete = complete
        self._lock = threading.Lock()
        self._peers: dict[str, _Peer] = {}
        self._left: set[str] = set()

    def take(self, key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> bool:
        """Take a record of `watch-state`; whether it is the word of a process."""
        spoken = spoken_in(key, headers)
        if spoken is not None and spoken.name != self._own:
            fresh = self._complete()
            with self._lock:
                self._hear(spoken, fresh=fresh)
        return spoken is not None

    def _hear(self, spoken: Spoken, *, fresh: bool) -> None:
        if spoken.ended:
            self._peers.pop(spoken.name, None)
            self._left |= spoken.blind
        else:
            self._peers[spoken.name] = _Peer(spoken.blind, self._monotonic(), fresh)

    def say(self, kind: str) -> bool:
        """Whether the last words of another process are that the watch is blind of a kind."""
        with self._lock:
            self._forget()
            return any(kind in peer.blind for peer in self._peers.values())

    def may_say(self, kind: str) -> bool:
        """Whether another process says that the watch is blind of a kind, or may say so unheard."""
        if not self._complete() or self.say(kind):
            return True
        if kind not in _CAUSES:
            return False
        with self._lock:
            since = self._monotonic() - _SILENT_AFTER
            return any(not peer.fresh or peer.heard_at < since for peer in self._peers.values())

    def left_open(self) -> frozenset[str]:
        """The kinds of which those that ended or died may have left an alert open; none that was returned before."""
        with self._lock:
            self._forget()
            left, self._left = frozenset(self._left), set()
            return left

    def _forget(self) -> None:
        """Take those for dead who have been silent for long; they may have said a cause unheard."""
        since = self._monotonic() - FORGOTTEN_AFTER
        for name, peer in list(self._peers.items()):
            if peer.heard_at < since:
                self._left |= peer.blind | _CAUSES
                del self._peers[name]
