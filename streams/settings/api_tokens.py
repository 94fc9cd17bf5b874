"""Who may do what over HTTP, by the settings: names, roles and tokens."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, SecretStr

__all__ = ["ApiToken", "ApiTokens", "api_tokens"]

_ENTRY = re.compile(r"([A-Za-z0-9_-]{1,64}):(read|respond):([\x21-\x2b\x2d-\x7e]{16,256})", re.ASCII)
_FORM = (
    "must be NAME:ROLE:TOKEN, several with commas or a line each; "
    "ROLE is read or respond, TOKEN has 16 characters or more"
)


class ApiToken(NamedTuple):
    """A token of the HTTP interface.

    Attributes:
        name: of who holds it; the actor of what is written with it.
        role: ``read`` reads; ``respond`` reads and writes.
        secret: the token.
        shared: whether several people hold it: who writes then says who it is.
    """

    name: str
    role: Literal["read", "respond"]
    secret: SecretStr
    shared: bool = False


def api_tokens(text: str) -> tuple[ApiToken, ...]:
    """Return the tokens that a setting names.

    Raises:
        ValueError: it is not of the form that the message states, or names a holder or a token twice. The message holds
            no token.
    """
    found: list[ApiToken] = []
    for number, entry in enumerate((one for one in re.split(r"[,\s]+", text) if one), 1):
        matched = _ENTRY.fullmatch(entry)
        if matched is None:
            raise ValueError(f"{_FORM} (entry {number})")
        name, role, secret = matched.groups()
        found.append(ApiToken(name, "read" if role == "read" else "respond", SecretStr(secret)))
    if not found:
        raise ValueError(f"holds no token: {_FORM}")
    if len({one.name for one in found}) < len(found):
        raise ValueError("names somebody twice: each token has a name of its own")
    if len({one.secret.get_secret_value() for one in found}) < len(found):
        raise ValueError("has a token twice: each name has a token of its own")
    return tuple(found)


def _checked(value: SecretStr) -> SecretStr:
    api_tokens(value.get_secret_value())
    return value


ApiTokens = Annotated[SecretStr, AfterValidator(_checked)]
