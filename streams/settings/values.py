"""How is a bootstrap server written?"""

from __future__ import annotations

import re

__all__ = ["host_and_port"]


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
