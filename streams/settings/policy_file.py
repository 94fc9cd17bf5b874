"""Where does a policy's text come from: the package, which ships one, or a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from detectors.policy.policy import Policy, PolicyError, PolicyProblem, parse_policy
from detectors.policy.source import read_source

__all__ = ["default_policy", "load_policy", "read_policy", "shipped_values"]

_SHIPPED = "default_policy.yaml"


def load_policy(file: Path) -> Policy:
    """The policy in a file.

    Raises:
        PolicyError: the file cannot be read, or its content is wrong.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        problem = PolicyProblem(str(file), 1, 1, "", f"cannot be read: {error.strerror or error}")
        raise PolicyError((problem,)) from None
    return read_policy(text, str(file))


def read_policy(text: str | bytes, name: str) -> Policy:
    """The policy that a YAML document describes, with the shipped values where the document has none.

    Args:
        text: the document.
        name: the file's name, for messages.

    Raises:
        PolicyError: the document is wrong; carries every problem.
    """
    return parse_policy(text, name, shipped_values())


@cache
def default_policy() -> Policy:
    """The policy that ships."""
    return read_policy(_shipped_text(), _SHIPPED)


@cache
def shipped_values() -> Mapping[str, Any]:
    """The values of the policy that ships, as they stand in its text."""
    values: dict[str, Any] = read_source(_shipped_text(), _SHIPPED).values
    return values


def _shipped_text() -> str:
    return resources.files("detectors").joinpath(_SHIPPED).read_text("utf-8")
