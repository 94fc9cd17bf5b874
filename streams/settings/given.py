"""What is given for a setting: the text of a variable or of the file that it names, and the slips in both?

A file of variables is read in as many ways as there are readers: `docker --env-file` keeps quotation marks, blanks and
the CR of a CRLF that a shell or systemd takes away. Messages name variables and files, never what stands in a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sinks.small_files import read_small_file

__all__ = ["PREFIX", "secret_in", "slips_in_names", "text_of", "told_of_secret"]

PREFIX = "WATCHOFFICER_"

#: The greatest size of a file that holds a secret, bytes.
_MAX_SECRET = 64 * 1024
#: From so much on two names are similar: of setting names without their prefix, and of whole names with a prefix.
_LIKE, _MUCH_LIKE = 0.6, 0.9
_MARKS = "\"'"
#: What Kubernetes sets in each container for a service that is named `watchofficer`.
_OF_KUBERNETES = re.compile(r"(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)")


def text_of(value: str, *, secret: bool) -> str:
    """Return what the value of a variable says, without the line break at its end; of no secret the blanks go as well.

    Args:
        value: of the variable.
        secret: whether it is a secret, which may begin or end with blanks.

    Raises:
        ValueError: it is not UTF-8, or no secret and in quotation marks.
    """
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("is not UTF-8 text")
    if secret:
        return value.rstrip("\r\n")
    text = value.strip()
    if _is_quoted(text):
        raise ValueError("stands in quotation marks, which are part of the value here: leave them out")
    return text


def secret_in(file: Path) -> str:
    """Return the secret in a file, without the line break at its end and the byte order mark at its beginning.

    Raises:
        ValueError: it cannot be read, is empty or too large, or is not UTF-8; the message names the file.
    """
    try:
        raw = read_small_file(file, _MAX_SECRET + 1)
    except OSError as error:
        raise ValueError(f"names {file}, which cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_SECRET:
        raise ValueError(f"names {file}, which is too large to be a secret")
    try:
        text = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"names {file}, which is not UTF-8 text") from None
    if not text:
        raise ValueError(f"names {file}, which is empty")
    return text


def told_of_secret(variable: str, secret: str) -> Iterator[str]:
    """Yield a sentence where a secret looks as if more were taken for it than was meant.

    Args:
        variable: that holds it, or names the file that does.
        secret: as it is used.
    """
    if _is_quoted(secret):
        yield f"{variable} holds a secret in quotation marks, which are taken as part of it"
    elif secret != secret.strip():
        yield f"{variable} holds a secret that begins or ends with a blank, which is taken as part of it"


def slips_in_names(
    environ: Mapping[str, str], settings: Sequence[str], secrets: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each variable that looks like a setting and is none, in the order of the names.

    Args:
        environ: the variables that are set.
        settings: the names of all settings.
        secrets: those of them that are secrets, which a file may hold.
    """
    known = [*settings, *(f"{name}_FILE" for name in secrets)]
    for name in sorted(environ.keys() - set(known)):
        if name.startswith(PREFIX):
            yield f"{name} is not a setting{_meant(name, known)}"
        elif name[0] in "wW" and (near := difflib.get_close_matches(name.upper(), known, 1, _MUCH_LIKE)):
            yield f"{name} is not a setting; did you mean {near[0]}?"


def _meant(name: str, known: Sequence[str]) -> str:
    plain = name.removesuffix("_FILE")
    if plain in known:
        return f": only a secret may stand in a file; set {plain} itself"
    if _OF_KUBERNETES.fullmatch(name.removeprefix(PREFIX)):
        return ", but set by Kubernetes for a service: set enableServiceLinks to false in the pod"
    # Compared without the prefix, which would make all names similar.
    endings = [word.removeprefix(PREFIX) for word in known]
    near = difflib.get_close_matches(name.removeprefix(PREFIX).upper(), endings, 1, _LIKE)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in _MARKS
