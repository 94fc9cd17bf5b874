"""How is a webhook signed? By Standard Webhooks 1.0: HMAC-SHA256 over ``{id}.{timestamp}.{body}``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

__all__ = ["key_of", "message_id", "signed_headers"]

_PREFIX = "whsec_"
#: The sizes of a key that the specification allows, bytes.
_LEAST, _MOST = 24, 64


def key_of(secret: str) -> bytes:
    """The key in a secret: ``whsec_`` and base64 of 24 to 64 bytes.

    Raises:
        ValueError: the secret is none; the message does not repeat it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ValueError(f"must be {_PREFIX} and base64 of {_LEAST} to {_MOST} random bytes")
    return key


def message_id(command_id: str) -> str:
    """The id of a message, the same on each attempt. A command's own id may hold full stops, which an id may not."""
    return "msg_" + hashlib.sha256(command_id.encode()).hexdigest()[:32]


def signed_headers(identity: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """The headers of one attempt, with a signature for each key: while a secret rotates there are two.

    Args:
        identity: of the message (``message_id``).
        timestamp: of the attempt, seconds since the epoch.
        body: exactly as it is sent.
        keys: the keys, the newest first.
    """
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    signatures = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    ]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
