"""Where does a policy's text come from? From the package, which ships one, or from a user's file."""

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
    """Load the policy in a file.

    Raises:
        PolicyError: the file cannot be read, or its content is invalid.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        problem = PolicyProblem(str(file), 1, 1, "", f"cannot be read: {error.strerror or error}")
        raise PolicyError((problem,)) from None
    return read_policy(text, str(file))


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
    """Return the shipped policy."""
    return read_policy(_shipped_text(), _SHIPPED)


@cache
def shipped_values() -> Mapping[str, Any]:
    """Return the values of the shipped policy, as its text states them."""
    values: dict[str, Any] = read_source(_shipped_text(), _SHIPPED).values
    return values


def _shipped_text() -> str:
    return resources.files("detectors").joinpath(_SHIPPED).read_text("utf-8")
