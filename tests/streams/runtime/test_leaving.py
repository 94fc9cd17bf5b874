"""The first signal asks a process to end in order, and the second ends it at once, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

#: A process that says when it listens and when it was asked to end, and then hangs.
HANGS = """
import asyncio
from streams.runtime.leaving import stop_on_signals

async def hang():
    stop = stop_on_signals()
    print("listens", flush=True)
    await stop.wait()
    print("asked", flush=True)
    await asyncio.Event().wait()

asyncio.run(hang())
"""


@pytest.mark.parametrize(("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGTERM")])
def test_the_second_signal_ends_what_hangs_at_once(first: str, second: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HANGS], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listens\n"
            process.send_signal(signal.Signals[first])
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.Signals[second])
            assert process.wait(5) == 1  # the first alone would end it with status 0, and later
        finally:
            process.kill()
