"""How is a file read that a person has named, whatever it turns out to be: a pipe, a device, a file of gigabytes?"""

from __future__ import annotations

import errno
import os
import select
import stat
from pathlib import Path

__all__ = ["PIPE_SECONDS", "check_regular_file", "read_small_file"]

#: For so long what stands in a pipe is awaited, seconds.
PIPE_SECONDS = 10.0
_PART = 1 << 16
_STANDARD_INPUT = Path("/dev/stdin")


def read_small_file(file: Path, most_bytes: int, pipe_seconds: float = PIPE_SECONDS) -> bytes:
    """Return what stands in a file, or comes through a pipe such as the ``<(...)`` of a shell.

    Args:
        file: what is read.
        most_bytes: no more than so many bytes are read, whatever else there is.
        pipe_seconds: for so long each part of what comes through a pipe is awaited.

    Raises:
        OSError: the file cannot be read, or nothing comes through the pipe; ``strerror`` says why in words.
    """
    # Not to block: to open a pipe that nobody writes to would take for ever. A socket cannot be opened.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.dup(0) if file == _STANDARD_INPUT else os.open(file, flags)
    with open(descriptor, "rb", buffering=0) as stream:
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        parts: list[bytes] = []
        left = most_bytes
        while left > 0:
            if not ready.poll(pipe_seconds * 1000):
                raise TimeoutError(
                    errno.ETIMEDOUT, f"nothing comes through this pipe within {pipe_seconds:g} s", str(file)
                )
            part = stream.read(min(left, _PART))
            if not part:
                break
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def check_regular_file(file: Path) -> None:
    """Refuse what cannot be read again and again: libraries that read certificates would wait for a pipe for ever.

    Raises:
        OSError: the file cannot be read, or is a pipe or a device; ``strerror`` says why in words.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0):
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(
                errno.EINVAL, "it is a pipe or a device; name a file, as it is read more than once", str(file)
            )
