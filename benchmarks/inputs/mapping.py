"""How many records of a producer does a mapping make into login events in a second of one core?

``python -m benchmarks.inputs.mapping`` prints for each mapping the records a second of CPU time, and the ratio to
decoding the same bytes as plain JSON in the same run: machines differ, and so do moments, but the ratio stays.
Decoding, mapping and writing the event are measured together, as ingest and replay pay for them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from streams.aggregate.source import Source
from streams.mappings.shipped import load_mapping

_RECORDS, _AT_ONCE, _ROUNDS = 20_000, 1_000, 5
_T = 1_790_000_000_000


def _keycloak(n: int) -> dict[str, Any]:
    event = {"id": f"{n:032x}", "time": _T + n, "type": ("LOGIN", "CODE_TO_TOKEN", "REFRESH_TOKEN")[n % 3]}
    event |= {"realmId": "main", "clientId": "account", "userId": f"{n % 7919:032x}", "ipAddress": "10.0.0.1"}
    if n % 50 == 0:
        event |= {"type": "LOGIN_ERROR", "error": "invalid_user_credentials"}
    return event | {"details": {"code_id": f"{n:032x}", "identity_provider": "idme", "username": "x"}}


def _line(n: int, message: str, payload: dict[str, Any]) -> dict[str, Any]:
    at = f"2026-11-23T15:{n // 60 % 60:02d}:{n % 60:02d}.123456Z"
    return {"timestamp": at, "request_id": f"{n:032x}", "message": message, "payload": payload}


def _sis(n: int) -> dict[str, Any]:
    action = ("authorize", "callback", "token", "refresh", "refresh")[n % 5]
    payload: dict[str, Any] = {"type": "idme", "client_id": "vaweb", "acr": "loa3"}
    if action == "refresh":
        payload = {"icn": f"{n % 7919}V1", "user_uuid": f"{n % 7919:032x}", "session_handle": f"{n:032x}"}
    return _line(n, f"[SignInService] [V0::SignInController] {action}", payload)


def _ssoe(n: int) -> dict[str, Any]:
    word = ("SSO_NEW_KEY", "LOGIN_STATUS_SUCCESS")[n % 2]
    tags = '["type:idme", "version:v1", "client_id:vaweb", "operation:authorize"]'
    return _line(n, f"{word}, tags: {tags}", {"icn": f"{n % 7919}V1", "transaction_id": f"{n:032x}"})


_KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "keycloak": _keycloak,
    "vets-api-sis": _sis,
    "vets-api-ssoe": _ssoe,
}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _decode_all(records: Sequence[bytes]) -> None:
    decode = msgspec.json.Decoder().decode
    for record in records:
        decode(record)


def _map_all(source: Source, records: Sequence[bytes], name: str) -> None:
    for begin in range(0, len(records), _AT_ONCE):
        some = records[begin : begin + _AT_ONCE]
        opened = source.open(some, np.arange(begin, begin + len(some)), f"{name}/0")
        if len(opened.values) != len(some):
            raise ValueError(f"{name}: a record of the benchmark is no event")


def main() -> None:
    """Print a line for each mapping."""
    for name, make in _KINDS.items():
        records = [json.dumps(make(n)).encode() for n in range(_RECORDS)]
        source = Source([load_mapping(name)])
        _map_all(source, records[:_AT_ONCE], name)
        rounds = [
            (_seconds(lambda: _map_all(source, records, name)), _seconds(lambda: _decode_all(records)))  # noqa: B023
            for _ in range(_ROUNDS)
        ]
        mapped, decoded = (min(one[n] for one in rounds) for n in (0, 1))
        print(
            f"{name:14} {_RECORDS / mapped:9,.0f} records/s of CPU time, {decoded / mapped:.2f} of plain decoding"
            f" ({_RECORDS / decoded:,.0f}/s)"
        )


if __name__ == "__main__":
    main()
