"""How does a process end within ten seconds, even if a thread, a connection or its event loop hangs?"""

from __future__ import annotations

import os
import threading

__all__ = ["STOP_SECONDS", "leave_in_time"]

#: For stopping in order, seconds; the documented limit is ten.
STOP_SECONDS = 8.0
#: After so long the process exits, seconds: a busy machine takes its time to show the signal and to end a process.
_LEAVE_SECONDS = 9.0


def leave_in_time(code: int) -> None:
    """Exit soon with a status, whatever hangs; the next start reads again what was not written."""
    timer = threading.Timer(_LEAVE_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
