"""How does a process of a test get a clock that is wrong, and that jumps while it runs? By the library of faketime."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FalseClock", "library"]

_SECONDS_KEPT = 1  # for which the library trusts what it has read


def library() -> Path | None:
    """The shared library of faketime (Debian package faketime); None where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


class FalseClock:
    """The wall clock of the processes that are started with its ``variables``. Their monotonic clock is right.

    Args:
        file: tells those processes how wrong their clock is; made if it is missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let the clock be so many seconds ahead, behind where negative; processes learn it within a second."""
        self._file.write_text(f"{seconds:+d}s\n")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a process that is to have this clock; none where faketime is not installed."""
        found = library()
        if found is None:
            return {}
        return {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_SECONDS_KEPT),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
