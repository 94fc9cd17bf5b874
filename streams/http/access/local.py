"""Does a request come from this machine alone, and does the path need a token at all?"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["is_loopback", "is_public", "not_local", "same_secret"]

#: How headers begin that a proxy adds: the request began elsewhere, wherever its connection comes from.
_FORWARDED = ("forwarded", "via", "x-forwarded-", "x-real-ip")
_PUBLIC = frozenset({"/healthz", "/readyz", "/login", "/login_gov_state_incidents"})
#: The public page, the state of the banner, and what is admitted by a signature.
_PUBLIC_BELOW = ("/status", "/v0/", "/webhooks/", "/charts/")


def is_public(path: str) -> bool:
    """Whether anybody may ask for a path, or its own door checks who asks."""
    return path in _PUBLIC or path.startswith(_PUBLIC_BELOW)


def not_local(headers: Mapping[str, str], peer: str | None, *, bind: str, writes: bool) -> str | None:
    """Why a request is not one of this machine; None if it is.

    Any page in a browser on this machine can reach a loopback address. So the request must name a loopback host (else
    a name that was re-bound to 127.0.0.1 would do) and, if it writes and the browser says which page sends it, come
    from a page of this server.

    Args:
        headers: of the request, case-insensitive.
        peer: the address that the connection comes from.
        bind: the address that this server listens on.
        writes: whether the request changes something.
    """
    if not is_loopback(bind):
        return "this server can be reached from elsewhere"
    if peer is None or not is_loopback(peer) or any(name.lower().startswith(_FORWARDED) for name in headers):
        return "it comes from elsewhere"
    host = headers.get("Host", "")
    if not is_loopback(_hostname(host)):
        return "it names a host that is not this machine's loopback"
    if not writes:
        return None
    origin = headers.get("Origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "another page sends it"
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return "another page sends it"
    return None


def same_secret(given: str, secret: str) -> bool:
    """Whether they are equal, in a time that tells neither how much of them is nor how long the secret is."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, secret)]
    return hmac.compare_digest(*digests)


@functools.lru_cache(maxsize=128)
def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.lru_cache(maxsize=128)
def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
