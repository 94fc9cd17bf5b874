"""How is a value that producers choose freely spelt in facts, scopes and policies?

Values of open fields (environment, auth method, step, outcome and the axes) are in lower case, and what is then not
1-64 characters of ``a-z 0-9 _ . : -`` is ``other``. So a value can stand in a path, a key and a label of a metric.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "OTHER", "class_name", "normalised"]

#: What stands for every value that has no spelling of its own.
OTHER = "other"
#: The most characters of a value.
LONGEST = 64

_SPELLING = re.compile(rf"[a-z0-9_.:-]{{1,{LONGEST}}}")


def normalised(value: str) -> str:
    """Return how a value is spelt; ``OTHER`` for one that cannot be spelt."""
    lower = value.lower()
    return lower if _SPELLING.fullmatch(lower) else OTHER


def class_name(error_class: str) -> str:
    """Return how an error class is spelt: ``malformedparams`` for ``SignIn::Errors::MalformedParamsError``.

    The namespace and the ending ``Error`` are left out. The empty string stands for no class.
    """
    if not error_class:
        return ""
    name = normalised(error_class.rpartition("::")[2])
    return name.removesuffix("error") or name
