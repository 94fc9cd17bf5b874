"""How does a process of a test get a clock that is wrong, and that jumps while it runs?"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["FalseClock"]

_IN_PROCESS = Path(__file__).with_name("in_process")


class FalseClock:
    """The wall clock of the Python processes that are started with its ``variables``; other clocks of theirs are right.

    Args:
        file: tells those processes how wrong their clock is; made if it is missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock ``seconds`` ahead, behind where negative; the processes learn it within a second."""
        arriving = self._file.with_suffix(".arriving")
        arriving.write_text(str(seconds))
        arriving.rename(self._file)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that give a process this false clock."""
        others = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(_IN_PROCESS), *([others] if others else [])])
        return {"PYTHONPATH": path, "FALSE_CLOCK_FILE": str(self._file)}
