"""What does the watch say of some days of the year?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.quality.year.calendar import Stretch
from detectors.backtest.outcomes import Outcome, Outcomes
from detectors.instants import DAY
from streams.replay.replay import Replay
from streams.settings.policy_file import default_policy

__all__ = ["Played", "play"]


@dataclass(frozen=True)
class Played:
    """A stretch and the incidents in it; ``seconds`` of CPU."""

    stretch: Stretch
    events: int
    notices: int
    incidents: tuple[Outcome, ...]
    seconds: float

    @property
    def pages(self) -> int:
        """How many incidents woke somebody."""
        return sum(bool(one.pages) for one in self.incidents)


def play(stretch: Stretch) -> Played:
    """Judge a stretch by the policy that ships."""
    began = time.process_time()
    _, simulation = stretch.play()
    policy = default_policy()
    replay = Replay([simulation.entries()], policy, now=simulation.end + DAY, history=stretch.history())
    outcomes, notices = Outcomes(), 0
    for verdict in replay.run():
        outcomes.add(verdict.result.transitions, verdict.result.commands)
        notices += len(verdict.result.notices)
    seconds = time.process_time() - began
    return Played(stretch, replay.summary.events, notices, tuple(outcomes.result()), seconds)
