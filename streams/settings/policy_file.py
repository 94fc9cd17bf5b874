"""Where does a policy's text come from? From the package, which ships one, or from a user's file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from detectors.policy.policy import Policy, PolicyError, PolicyProblem, parse_policy
from detectors.policy.source import MAX_BYTES, read_source
from sinks.small_files import read_small_file

__all__ = ["PolicyFile", "default_policy", "load_policy", "read_document", "read_policy", "shipped_values"]

_SHIPPED = "default_policy.yaml"
#: So much of a document is read: all that it may have, a byte order mark, and a byte that is too much.
_MOST_READ = MAX_BYTES + 4


class _Version(NamedTuple):
    """What changes when a file is written anew or replaced, also behind a symbolic link."""

    modified: int
    inode: int
    size: int


class PolicyFile:
    """Where the policy of a process stands.

    Args:
        path: the file; None for the policy that ships.

    Attributes:
        loaded: the version that ``load`` found last, or an older one: a file that is replaced while it is read, or
            later, has another version. None before the first ``load``, and without a file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.loaded: _Version | None = None

    def load(self) -> Policy:
        """Read the policy.

        Raises:
            PolicyError: it cannot be used.
        """
        self.loaded = self.version()
        return default_policy() if self.path is None else load_policy(self.path)

    def version(self) -> _Version | None:
        """What tells this content of the file from another; None without a file."""
        try:
            found = None if self.path is None else os.stat(self.path)
        except OSError:
            return None
        return (
            None if found is None else _Version(found.st_mtime_ns // 1_000_000, found.st_ino, found.st_size)
        )


def load_policy(file: Path) -> Policy:
    """Load the policy in a file.

    Raises:
        PolicyError: the file cannot be read, or its content is invalid.
    """
    try:
        text = read_document(file)
    except OSError as error:
        problem = PolicyProblem(str(file), 1, 1, "", f"cannot be read: {error.strerror or error}")
        raise PolicyError((problem,)) from None
    return read_policy(text, str(file))


def read_document(file: Path) -> bytes:
    """Return the bytes of a policy, a mapping or tests in a file; of a file that is too large only its beginning.

    Raises:
        OSError: the file cannot be read; ``strerror`` says why in words.
    """
    return read_small_file(file, _MOST_READ)


def read_policy(text: str | bytes, name: str) -> Policy:
    """Read the policy in a YAML document; values that the document leaves out are the shipped ones.

    Args:
        text: the document.
        name: the file's name, for messages.

    Raises:
        PolicyError: the document is invalid; the error carries every problem.
    """
    return parse_policy(text, name, shipped_values())


@cache
def default_policy() -> Policy:
    """Return the shipped policy: that of a document which leaves everything out."""
    return read_policy("{}", _SHIPPED)


@cache
def shipped_values() -> Mapping[str, Any]:
    """Return the values of the shipped policy, as its text states them."""
    values: dict[str, Any] = read_source(_shipped_text(), _SHIPPED).values
    return values


def _shipped_text() -> str:
    return resources.files("detectors").joinpath(_SHIPPED).read_text("utf-8")
