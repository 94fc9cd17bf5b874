"""How does a process end when it is told to, within ten seconds, even if a thread, a connection or its loop hangs?"""

from __future__ import annotations

import asyncio
import os
import signal
import threading

__all__ = ["STOP_SECONDS", "leave_in_time", "stop_on_signals"]

#: For stopping in order, seconds; the documented limit is ten.
STOP_SECONDS = 8.0
#: After so long the process exits, seconds: a busy machine takes its time to show the signal and to end a process.
_LEAVE_SECONDS = 9.0


def leave_in_time(code: int) -> None:
    """Exit soon with a status, whatever hangs; the next start reads again what was not written."""
    timer = threading.Timer(_LEAVE_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


def stop_on_signals(late_code: int = 0) -> asyncio.Event:
    """Return an event that the first SIGINT or SIGTERM sets; the second signal ends the process at once with status 1.

    Must be called on a running event loop.

    Args:
        late_code: the exit status of a process that has not ended ten seconds after the first signal.
    """
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # the next start reads again what was not written
        leave_in_time(late_code)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop
