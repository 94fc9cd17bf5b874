"""How do tests run a worker of an older build? From a checkout of its commit."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ROOT

__all__ = ["checked_out"]


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, which is removed at the end.

    Raises:
        subprocess.CalledProcessError: there is no such commit.
    """
    git = ("git", "-C", str(ROOT), "worktree")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "before")
        subprocess.run([*git, "add", "--detach", "--quiet", str(folder), commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)
