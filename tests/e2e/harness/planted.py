"""Which personal values could a producer write, where, and what may a watch not hold of them?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import zstandard

from streams.events.login_event import FORBIDDEN, LoginEvent
from tests.e2e.harness.deployment import login

__all__ = ["HEADERS", "KEY", "PERSONAL", "codes", "found", "records"]

#: What says who a person is, and nothing that a watch says by itself.
PERSONAL = {
    "name": "Zaphod Beeblebrox",
    "mail": "zaphod@beeblebrox.example",
    "ssn": "536-22-0917",
    "digits": "536220917",
    "icn": "1012667145V762142",
    "phone": "(555) 867-5309",
    "ipv4": "198.51.100.77",
    "ipv6": "2001:db8::beef:77",
    "text": "lives at 42 Betelgeuse Road",
}
#: Parts by which they are found however they are spelt: in lower case, without what stands between.
_PARTS = (
    *(b"zaphod", b"beeblebrox", b"betelgeuse", b"536220917", b"1012667145v762142", b"5558675309"),
    *(b"1985110077", b"2001db8beef77"),
)
_BETWEEN = b" -.:()+@\\/_"

#: Of a record.
KEY = PERSONAL["mail"].encode()
HEADERS = [("user", PERSONAL["name"].encode()), (PERSONAL["mail"], b"1")]

_MUST_BE = {
    "schema_version",
    "event_id",
    "occurred_at",
    "env",
    "auth_method",
    "step",
    "outcome",
    "error_code",
}
_NUMBERS = {"schema_version", "duration_ms", "authentication_time_s"}


def codes() -> list[str]:
    """Return the personal values that are known in an error code: of free text, a bare name is not."""
    return [text for name, text in PERSONAL.items() if name not in ("name", "text")]


def records(called: str) -> Iterator[bytes]:
    """Yield records with every personal value in every place that a producer has: some are events, some are not."""
    strings = sorted(set(LoginEvent.__struct_fields__) - _NUMBERS - set(FORBIDDEN))
    anywhere = dict(zip(FORBIDDEN, PERSONAL.values(), strict=False))
    anywhere |= {"outcome": "failure", "error_code": "007"}
    nested = {"user": {"aka": [PERSONAL], PERSONAL["name"]: PERSONAL["mail"]}, PERSONAL["ssn"]: None}
    for number, (kind, text) in enumerate(PERSONAL.items()):
        unknown: dict[str, Any] = {**anywhere, **nested, "user_name": text, "x-forwarded-for": [text]}
        for field in strings:
            if field == "error_code" and text not in codes():
                continue
            yield _event(f"{called}-{number}-{field}", {**unknown, field: text})
            yield _event(f"{called}-{number}-{field}-r", {**unknown, field: text, "duration_ms": text})
        yield _event(f"{called}-{number}", unknown | {name: text for name in strings if name not in _MUST_BE})
        yield json.dumps(text).encode()
        yield json.dumps({kind: text, "env": text}).encode()
        yield f"{kind}={text}".encode()
        yield (json.dumps({"message": text}) + text).encode("utf-16")


def _event(event_id: str, fields: dict[str, Any]) -> bytes:
    return json.dumps(json.loads(login(event_id)) | fields).encode()


def found(content: bytes | str | None) -> set[str]:
    """Return the parts of personal values that stand in a content, compressed or not."""
    if content is None:
        return set()
    opened = content.encode() if isinstance(content, str) else _opened(content)
    plain = opened.translate(None, _BETWEEN).lower()
    return {part.decode() for part in _PARTS if part in plain}


def _opened(content: bytes) -> bytes:
    """A content, and behind it what is compressed in it."""
    head = content.find(zstandard.FRAME_HEADER)
    if head < 0:
        return content
    try:
        return content + zstandard.ZstdDecompressor().decompressobj().decompress(content[head:])
    except zstandard.ZstdError:
        return content
