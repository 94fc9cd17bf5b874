"""Who may write over HTTP: the holder of the token or, where there is none, a person at this machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = ["Refusal", "is_loopback", "refusal", "same_secret"]


@dataclass(frozen=True)
class Refusal:
    """Why a request may not write, with the HTTP status that says so."""

    status: int
    message: str


def refusal(
    headers: Mapping[str, str], peer: str | None, *, token: SecretStr | None, bind: str
) -> Refusal | None:
    """None if the request may write, else why not.

    Without a token, writes are taken on a loopback address alone; and because any page in a browser on this
    machine can reach that, the request must name a loopback host (else a name that was re-bound to 127.0.0.1
    would do) and, where the browser says which page sends it, come from the console itself.

    Args:
        headers: of the request, case-insensitive.
        peer: the address that the connection comes from.
        token: that is asked for; None if none is configured.
        bind: the address that this server listens on.
    """
    if token is not None:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return Refusal(401, "this needs the header Authorization: Bearer <token>")
        if not same_secret(given.strip(), token.get_secret_value()):
            return Refusal(401, "this token is not the one that was configured")
        return None
    if not is_loopback(bind):
        return Refusal(403, "writes are refused: no token is configured (WATCHOFFICER_API_TOKEN)")
    if peer is None or not is_loopback(peer):
        return Refusal(403, "without a token, writes are taken from this machine alone")
    host = headers.get("Host", "")
    if not is_loopback(_hostname(host)):
        return Refusal(403, "without a token, the request must name a loopback host")
    origin = headers.get("Origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return Refusal(403, "without a token, other pages may not write")
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return Refusal(403, "without a token, other pages may not write")
    return None


def same_secret(given: str, secret: str) -> bool:
    """Whether they are equal, in a time that tells neither how much of them is nor how long the secret is."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, secret)]
    return hmac.compare_digest(*digests)


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
