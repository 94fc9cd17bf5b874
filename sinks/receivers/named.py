"""How do settings define several receivers of one kind? A JSON object: name -> what that one has of its own."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["by_name"]

#: The most receivers of one kind that have a name.
_MOST = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def by_name(text: str) -> dict[str, Any]:
    """The object that a setting holds, by the names of its receivers.

    Raises:
        ValueError: it is no such object; the message does not repeat it, as it may hold secrets.
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise ValueError('must be a JSON object, such as {"leadership": ...}') from None
    if not isinstance(found, dict) or not 1 <= len(found) <= _MOST:
        raise ValueError(f"must be a JSON object of 1 to {_MOST} names")
    for name in found:
        if not _NAME.fullmatch(name):
            raise ValueError("has a name that is not 1 to 40 of a-z 0-9 _ -, the first of a-z 0-9")
    return found
