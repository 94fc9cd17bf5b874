"""Is a stall only what this process's own work has cost?"""

from __future__ import annotations

import pytest

from streams.runtime.progress import Progress
from streams.watchdog.pulse import LoopPulse


@pytest.mark.parametrize(
    ("late", "used", "stall"),
    [
        (0.0, 0.02, 0.0),  # in time, whatever was done meanwhile
        (0.5, 0.45, 0.45),  # late because of own work
        (4.0, 0.03, 0.03),  # late because the machine was busy with others
        (0.2, 0.9, 0.2),
    ],
)
async def test_a_beat_that_comes_late_is_a_stall_as_far_as_own_work_made_it_late(
    late: float, used: float, stall: float
) -> None:
    time, cpu = [10.0], [5.0]
    seen: list[float] = []
    progress = Progress(lambda: time[0])

    async def sleep(seconds: float) -> None:
        time[0] += seconds + late
        cpu[0] += used

    pulse = LoopPulse(
        progress, seen.append, monotonic=lambda: time[0], thread_time=lambda: cpu[0], sleep=sleep
    )
    await pulse.beat()
    assert seen == [pytest.approx(stall)]
    assert progress.last_beat("loop") == time[0]
