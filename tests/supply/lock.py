"""What does a lock file pin?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Pin", "read_lock"]

ROOT = Path(__file__).resolve().parents[2]
_HEAD = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>\S.*?))? \\$")
_HASH = re.compile(r"^    --hash=sha256:(?P<digest>[0-9a-f]{64})(?: \\)?$")
_NEEDED_BY = re.compile(r"^    #(?: via |   )(?P<name>[a-z][a-z0-9-]*)(?: \(pyproject\.toml\))?$")


@dataclass(frozen=True)
class Pin:
    """One package of a lock file.

    Attributes:
        name: the normalised name.
        version: the only version that is installed.
        marker: the environments that need it; empty for all.
        digests: SHA-256 of each file that may be installed, in hexadecimal.
        needed_by: the names of what asks for it; the project's own among them.
    """

    name: str
    version: str
    marker: str
    digests: tuple[str, ...]
    needed_by: tuple[str, ...]


def read_lock(file: Path) -> list[Pin]:
    """The pins of a lock file that `uv pip compile --generate-hashes` has written, by name.

    Raises:
        ValueError: a line is of no known form, so that no package can be overlooked.
    """
    found: list[tuple[re.Match[str], list[str], list[str]]] = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if head := _HEAD.match(line):
            found.append((head, [], []))
        elif found and (digest := _HASH.match(line)):
            found[-1][1].append(digest["digest"])
        elif found and (other := _NEEDED_BY.match(line)):
            found[-1][2].append(other["name"])
        elif not line.startswith("    #"):
            raise ValueError(f"{file.name}:{number}: no pin, no hash and no comment: {line!r}")
    return [
        Pin(head["name"], head["version"], head["marker"] or "", tuple(digests), tuple(others))
        for head, digests, others in found
    ]
