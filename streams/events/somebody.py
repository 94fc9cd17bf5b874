"""Which text of a producer says who a person is? Such text has no place where values and codes stand."""

from __future__ import annotations

import re

from detectors.values import OTHER, normalised

__all__ = ["says_who", "spelt"]

#: Addresses of mail; numbers of social security, of patients (ICN) and of telephones; addresses of IP. What is within a
#: longer word is none of them, as ids are hexadecimal.
_SAYS_WHO = re.compile(
    r"@"
    r"|\d{3}-\d{2}-\d{4}"
    r"|(?<![0-9a-z])(?:"
    r"\d{9,11}"
    r"|\d{10}v\d{6}"
    r"|(?:1[-. ])?\(?\d{3}\)?[-. ]{1,2}\d{3}[-. ]\d{4}"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
    r"|(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}"
    r"|(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}"
    r")(?![0-9a-z])",
    re.ASCII | re.IGNORECASE,
)


def says_who(text: str) -> bool:
    """Return whether a text holds an address or a number of a person. A bare name is not found."""
    return _SAYS_WHO.search(text) is not None


def spelt(value: str) -> str:
    """Return how a value of an open field is spelt; ``OTHER`` for one that says who a person is, or has no spelling."""
    return OTHER if says_who(value) else normalised(value)
