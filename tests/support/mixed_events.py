"""Which events do benchmarks send? 5 % failures, 1 % late, 1 % duplicates, 0.1 % malformed, about 350 bytes each."""

from __future__ import annotations

import json
import random

from detectors.instants import format_instant

__all__ = ["mixed_events"]

_STEPS = (("ssoe", "new", "started"), ("ssoe", "callback", "success"), ("sis", "token", "success"))


def mixed_events(count: int, start: int, per_second: int, seed: int = 1) -> list[tuple[int, bytes]]:
    """Return (Kafka timestamp in ms, value) of ``count`` events from ``start`` (ms) on, ``per_second`` a second."""
    rnd = random.Random(seed)
    out: list[tuple[int, bytes]] = []
    for n in range(count):
        at = start + n * 1000 // per_second
        stamp = at + 300
        if rnd.random() < 0.001:
            out.append((stamp, b'{"schema_version":1,"event_id":'))
            continue
        if out and rnd.random() < 0.01:
            out.append((stamp, out[-rnd.randint(1, min(len(out), 5000))][1]))
            continue
        method, step, outcome = rnd.choice(_STEPS)
        failed = outcome == "success" and rnd.random() < 0.075
        event = {
            "schema_version": 1,
            "event_id": f"{n:020x}{seed:04x}",
            "occurred_at": format_instant(at - (60_000 if rnd.random() < 0.01 else 0)),
            "env": "prod",
            "auth_method": method,
            "step": step,
            "outcome": "failure" if failed else outcome,
            "csp": rnd.choice(("idme", "logingov", "mhv")) if method == "ssoe" else None,
            "client_id": "vaweb",
            "flow_id": f"h:{rnd.getrandbits(64):016x}",
            "request_id": f"{rnd.getrandbits(64):016x}",
            "user_hash": f"h:{rnd.randint(0, 500_000):016x}",
            "duration_ms": rnd.randint(20, 900),
        }
        if failed:
            event["error_code"] = rnd.choice(("007", "400", "004", "001"))
        out.append((stamp, json.dumps(event, separators=(",", ":")).encode()))
    return out
