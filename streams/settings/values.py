"""How are a bootstrap server, the URL of a server and a key of hashes written?"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

__all__ = ["HashKey", "base_url", "host_and_port"]


def base_url(scheme: str, host: str, port: int) -> str:
    """Return the URL of a server, without a slash at its end; an IPv6 address stands in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def host_and_port(text: str) -> str:
    """Return ``host:port`` of one bootstrap server; the default port is 9092.

    Raises:
        ValueError: the text is no bootstrap server.
    """
    address = text.strip().removeprefix("kafka://")
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", address, re.ASCII)
    if match is None or int(match[2] or 1) not in range(1, 65536):
        raise ValueError("must be brokers as host:port, several with commas: kafka-1:9092,kafka-2:9092")
    return f"{match[1]}:{match[2] or 9092}"


#: The least length of a key of hashes and signatures.
_HASH_KEY_BYTES = 32


def _hash_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < _HASH_KEY_BYTES:
        raise ValueError(
            f"must have at least {_HASH_KEY_BYTES} bytes, such as the output of `openssl rand -hex 32`"
        )
    return value


HashKey = Annotated[SecretStr, AfterValidator(_hash_key)]
