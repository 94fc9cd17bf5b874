"""How wrong is the wall clock of this process? Python imports this module before any other that asks for the time."""

from __future__ import annotations

import os
import time

_file = os.environ["FALSE_CLOCK_FILE"]
_right, _right_ns, _monotonic = time.time, time.time_ns, time.monotonic
_ahead, _looked_at = 0, float("-inf")
_LOOK_EVERY = 0.5  # seconds


def _seconds_ahead() -> int:
    global _ahead, _looked_at
    now = _monotonic()
    if now - _looked_at >= _LOOK_EVERY:
        _looked_at = now
        with open(_file) as lines:
            _ahead = int(lines.read())
    return _ahead


def _false_time() -> float:
    return _right() + _seconds_ahead()


def _false_time_ns() -> int:
    return _right_ns() + 1_000_000_000 * _seconds_ahead()


time.time, time.time_ns = _false_time, _false_time_ns
