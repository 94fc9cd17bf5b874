"""Is this process alive and ready, part by part? ``/healthz`` and ``/readyz`` answer from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Health"]


@dataclass
class _Pulse:
    within: float
    last: float


class Health:
    """Parts of the process report here. A part that was never announced is not asked about. Any thread may ask.

    Args:
        clock: seconds that never go back (``time.monotonic``).
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pulses: dict[str, _Pulse] = {}
        self._waiting: dict[str, str | None] = {}

    def expect(self, part: str, within: float) -> None:
        """From now on ``part`` must `beat` at least once in ``within`` seconds."""
        self._pulses[part] = _Pulse(within, self._clock())

    def beat(self, part: str) -> None:
        """``part`` has gone round its loop once more.

        Raises:
            KeyError: it was not announced by `expect`.
        """
        self._pulses[part].last = self._clock()

    def forget(self, part: str) -> None:
        """``part`` has ended in order and is not asked about any more."""
        self._pulses.pop(part, None)
        self._waiting.pop(part, None)

    def ready(self, part: str) -> None:
        """``part`` does its work."""
        self._waiting[part] = None

    def unready(self, part: str, why: str) -> None:
        """``part`` does not do its work (yet, or any more), and why."""
        self._waiting[part] = why

    def stalled(self) -> dict[str, str]:
        """Parts whose loop stands still -> for how long; empty when the process is alive."""
        now = self._clock()
        return {
            part: f"no sign of life for {now - pulse.last:.0f} s"
            for part, pulse in list(self._pulses.items())
            if now - pulse.last > pulse.within
        }

    def waiting(self) -> dict[str, str]:
        """Parts that are not ready -> why; empty when the process is ready."""
        return {part: why for part, why in list(self._waiting.items()) if why is not None}

    def parts(self) -> list[str]:
        """All parts that have been announced, by name."""
        return sorted({*self._pulses, *self._waiting})
