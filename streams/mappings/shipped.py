"""Which mappings ship with the program, and how is one found by its name or as a file?"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from detectors.policy.source import PolicyError, PolicyProblem
from sinks.configuration import expanded
from streams.mappings.mapping import FIXED_KEY, RecordMapping, compile_mapping
from streams.mappings.schemas.store import Schemas
from streams.settings.policy_file import read_document

__all__ = ["load_mapping", "shipped_names"]

_SUFFIX = ".yaml"


def shipped_names() -> list[str]:
    """Return the names of the mappings that ship, in order."""
    found = (one.name for one in (resources.files("streams.mappings") / "shipped").iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


def load_mapping(name: str, key: bytes = FIXED_KEY, schemas: Schemas | None = None) -> RecordMapping:
    """Return a mapping that ships, by its name, or that of a file; ``schemas`` are those of records in Avro.

    Raises:
        PolicyError: there is no such mapping, or it cannot be used; every problem, with file and line.
    """
    if name in shipped_names():
        text = (resources.files("streams.mappings") / "shipped" / f"{name}{_SUFFIX}").read_bytes()
        return compile_mapping(text, f"{name}{_SUFFIX}", key)
    try:
        text = read_document(expanded(Path(name)))
    except (OSError, ValueError) as error:
        known = ", ".join(shipped_names())
        reason = f"{getattr(error, 'strerror', None) or error}; mappings that ship: {known}"
        raise PolicyError((PolicyProblem(name, 1, 1, "", reason),)) from None
    return compile_mapping(text, name, key, schemas)
