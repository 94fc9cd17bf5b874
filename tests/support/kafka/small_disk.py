"""How does a broker of the tests run out of disk? Its data lie on a small file system, which root may mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["SmallDisk", "may_mount"]

_BALLAST = "ballast"


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a file system; tries it in a folder of its own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    disk = SmallDisk(folder / "may-mount", 1 << 20)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        return False
    disk.unmount()
    return True


class SmallDisk:
    """A file system in memory, mounted on a folder.

    Args:
        folder: where; made if it is missing.
        size: in bytes.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._size = size
        self._mounted = False

    def mount(self) -> None:
        """Mount the file system, empty.

        Raises:
            subprocess.CalledProcessError: this process may not mount file systems.
        """
        if self._mounted:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        _run(
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={self._size},mode=777",
            "watchofficer-small-disk",
            str(self.folder),
        )
        self._mounted = True

    def unmount(self) -> None:
        """Unmount the file system, which deletes its files."""
        if self._mounted:
            _run("umount", "-l", str(self.folder))
            self._mounted = False

    def free(self) -> int:
        """Return the number of free bytes."""
        return shutil.disk_usage(self.folder).free

    def fill(self, but: int = 0) -> None:
        """Fill the disk until only ``but`` bytes are free; do nothing if fewer are free already."""
        with (self.folder / _BALLAST).open("ab") as ballast:
            left = self.free() - but
            while left > 0:
                ballast.write(bytes(min(left, 1 << 20)))
                ballast.flush()
                left = min(left - (1 << 20), self.free() - but)

    def clear(self) -> None:
        """Remove the file with which ``fill`` has filled the disk."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
