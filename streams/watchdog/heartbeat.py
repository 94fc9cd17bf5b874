"""Who notices that everything is dead: the service whose URL is called each minute while all is well."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from streams.watchdog.tellers import Request

__all__ = ["Heartbeat"]

log = structlog.get_logger(__name__)

_EVERY = 60.0  # seconds
#: After a request that failed, seconds: such a service waits for some minutes before it raises the alarm.
_AGAIN_AFTER = 15.0


class Heartbeat:
    """Calls a URL each minute. The service behind it raises the alarm when it is not called any more.

    Args:
        url: the URL, which is a secret: who knows it can keep the alarm silent.
        make: makes the request.
        monotonic: seconds that never go back.
    """

    def __init__(self, url: str, make: Request, monotonic: Callable[[], float]) -> None:
        self._url = url
        self._make = make
        self._monotonic = monotonic
        self._due_at = float("-inf")
        self._failed = False

    def beat(self, *, well: bool) -> None:
        """Call the URL if a minute has passed; never while not all is well."""
        if not well or self._monotonic() < self._due_at:
            return
        status, answer = self._make("GET", self._url)
        taken = 200 <= status < 300
        self._due_at = self._monotonic() + (_EVERY if taken else _AGAIN_AFTER)
        if taken == self._failed:  # a change, not a line for each minute
            self._failed = not taken
            if taken:
                log.info("heartbeat_taken_again")
            else:
                why = answer.decode("utf-8", "replace") if status == 0 else f"HTTP {status}"
                log.warning("heartbeat_not_taken", why=why)
