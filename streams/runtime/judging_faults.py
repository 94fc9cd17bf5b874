"""Who is told that a detector has a fault, while the others judge on?"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

import structlog

from detectors.detection.faults import IN_COMMON, Fault
from detectors.instants import format_instant
from streams.runtime.progress import Progress, Why

__all__ = ["JudgingFaults"]

log = structlog.get_logger(__name__)

#: A detector that has had no fault for so long judges again, seconds.
_WELL_AFTER = 30.0
#: The traceback of one part of one environment is logged so often, seconds.
_LOGGED_EVERY = 60.0


class JudgingFaults:
    """Logs faults with their tracebacks, and reports detectors that keep on having them as obstacles.

    Args:
        progress: is told of a detector that cannot judge.
        monotonic: seconds that never go back.
    """

    def __init__(self, progress: Progress, monotonic: Callable[[], float]) -> None:
        self._progress = progress
        self._monotonic = monotonic
        self._met: dict[tuple[str, str], float] = {}
        self._logged: dict[tuple[str, str], float] = {}

    def note(self, env: str, faults: Iterable[Fault]) -> None:
        """Note what the judging of an environment has met since the last call, if anything."""
        now = self._monotonic()
        for fault in faults:
            self._log(env, fault, now)
            if fault.part != IN_COMMON:  # it decides no verdict
                self._met[env, fault.part] = now
                sentence = f"The detector {fault.part} cannot judge {env}: {_words(fault.error)}"
                self._progress.stuck(Why.FAULT, sentence, key=f"{env}/{fault.part}")
        well = [key for key, at in self._met.items() if key[0] == env and now - at >= _WELL_AFTER]
        for key in well:
            self._end(key)

    def forget(self, env: str) -> None:
        """Another worker judges an environment from now on."""
        for key in [key for key in self._met if key[0] == env]:
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        del self._met[key]
        self._progress.going(Why.FAULT, "/".join(key))

    def _log(self, env: str, fault: Fault, now: float) -> None:
        key = (env, fault.part)
        if now - self._logged.get(key, -_LOGGED_EVERY) >= _LOGGED_EVERY:
            self._logged[key] = now
            log.error(
                "judging_failed",
                env=env,
                part=fault.part,
                at=format_instant(fault.at),
                consequence="the rest judges on; incidents may open and rise, not resolve"
                if fault.part != IN_COMMON
                else "it is not told what those who fail have in common",
                exc_info=fault.error,
            )


def _words(error: Exception) -> str:
    """Return where an exception was raised and of what kind it is; its text may hold what people sent."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename.rsplit('/', 1)[-1]}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
