"""Under which licence does each package come, and may it be used?"""

from __future__ import annotations

from email.message import Message
from importlib.metadata import distributions
from typing import cast

__all__ = ["ALLOWED", "installed_licences", "is_allowed", "licence_of"]

#: By their SPDX names. MPL-2.0 asks for the source of its own files alone, which nobody changes here.
ALLOWED = frozenset(
    {
        *(
            "0BSD",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "CC0-1.0",
            "MIT",
            "MPL-2.0",
            "PSF-2.0",
            "Zlib",
        ),
        "LicenseRef-Repoze",  # BSD-3-Clause with a clause on trademarks
    }
)
#: What packages write instead of an SPDX name: in the field `License`, or as the last part of a classifier.
_SAME = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD-derived (Repoze)": "LicenseRef-Repoze",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
#: What no field says in words that a program can take: read in the packages' own files of licences.
_READ = {
    "faust-streaming": "BSD-3-Clause",
    "mode-streaming": "BSD-3-Clause",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "uvloop": "Apache-2.0 OR MIT",
}


def licence_of(name: str, metadata: Message) -> str:
    """The SPDX expression of a package's metadata; empty where they name none that is known.

    Args:
        name: the normalised name of the package.
        metadata: its core metadata.
    """
    if expression := metadata.get("License-Expression"):
        return str(expression)
    if name in _READ:
        return _READ[name]
    classifiers = [str(one).split(" :: ") for one in metadata.get_all("Classifier") or ()]
    said = [str(metadata.get("License") or "").strip()]
    said += [parts[-1] for parts in classifiers if parts[0] == "License"]
    for one in said:
        licence = _SAME.get(one, one)
        if licence in ALLOWED:
            return licence
    return ""


def is_allowed(expression: str) -> bool:
    """Whether all licences of one alternative are allowed; an expression with brackets is left to people."""
    return any(
        all(licence.strip() in ALLOWED for licence in alternative.split(" AND "))
        for alternative in expression.split(" OR ")
    )


def installed_licences() -> dict[str, str]:
    """The SPDX expression of each installed package, by normalised name; empty where it names none that is known."""
    found = {}
    for one in distributions():
        metadata = cast(Message, one.metadata)
        name = str(metadata["Name"]).lower().replace("_", "-").replace(".", "-")
        found[name] = licence_of(name, metadata)
    return found
