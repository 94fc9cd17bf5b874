"""A process with a false clock is ahead or behind by what its file says, also when that changes while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.false_clock.clock import FalseClock

TELL = (
    "import sys, time\nfor _ in sys.stdin: print(time.time(), time.time_ns(), time.monotonic(), flush=True)"
)


@pytest.mark.parametrize("jump", [120, -120])
def test_the_wall_clock_alone_jumps_and_back(tmp_path: Path, jump: int) -> None:
    clock = FalseClock(tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", TELL],
        env=os.environ | clock.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def off() -> tuple[float, float, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            seconds, nanos, monotonic = map(float, process.stdout.readline().split())
            return seconds - time.time(), nanos / 1e9 - time.time(), monotonic - time.monotonic()

        for expected in (0, jump, 0):
            clock.set(expected)
            deadline = time.monotonic() + 10.0
            while abs(off()[0] - expected) > 5.0:
                assert time.monotonic() < deadline
            assert abs(off()[1] - expected) < 5.0
            assert abs(off()[2]) < 5.0
        process.stdin.close()
