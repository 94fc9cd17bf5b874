"""After which wait is a command tried again, and when is it given up?"""

from __future__ import annotations

from detectors.backoff import full_jitter
from detectors.instants import DAY, MINUTE, SECOND

__all__ = ["BACKOFF_CAP", "GIVE_UP_AFTER", "backoff"]

#: The longest wait after the first failed attempt, and after any number of them, ms.
BACKOFF_BASE = SECOND
BACKOFF_CAP = MINUTE

#: A command that could not be delivered for this time (ms) becomes a dead letter: Datadog rejects events of that age,
#: and a page that late helps nobody. The time counts from when the command was made or written, not from a restart.
GIVE_UP_AFTER = DAY


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait before the next attempt: exponential backoff with full jitter.

    Args:
        attempt: number of attempts that have failed, from 1.
        chance: a random number in [0, 1).
    """
    return full_jitter(attempt, BACKOFF_BASE, BACKOFF_CAP, chance) / SECOND
