"""A record that is no event is set aside with its reason, and affects nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.e2e.harness.deployment import Deployment, login, now
from tests.e2e.harness.worker import until
from tests.support.oracle import DAY, HOUR, MINUTE

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("shared"), pytest.mark.asyncio(loop_scope="session")]

DEV: dict[str, Any] = {"env": "dev", "auth_method": "sis", "csp": None}


def bad_values() -> dict[str, list[bytes | None]]:
    """Return reason -> values that are rejected for this reason."""
    missing = json.loads(login("missing", **DEV))
    del missing["occurred_at"]
    return {
        "empty": [None, b"", b" \n"],
        "too_large": [login("large", request_id="x" * 70_000, **DEV)],
        "not_utf8": [b'{"event_id":"\xff"}'],
        "not_json": [b"{", b'{"duration_ms":NaN}', b"\x00\x01", b'{"a":1}{"a":2}'],
        "too_deep": [b"[" * 5_000 + b"]" * 5_000],
        "not_an_object": [b"[]", b'"an event"', b"null"],
        "missing_field": [json.dumps(missing).encode()],
        "wrong_type": [login("type", duration_ms="12", **DEV), login("code", error_code=7, **DEV)],
        "out_of_range": [login("", **DEV), login("negative", duration_ms=-1, **DEV)],
        "bad_instant": [login("instant", **{**DEV, "occurred_at": "2026-11-23 15:04:05Z"})],
        "bad_version": [login("version", **{**DEV, "schema_version": 2})],
        "future": [login("future", at=now() + HOUR, **DEV)],
        "past": [login("past", at=now() - 36 * DAY, **DEV)],
    }


#: Reasons of what is no JSON object that can be read: length and digest are kept.
UNREADABLE = {"too_large", "not_utf8", "not_json", "too_deep", "not_an_object"}
#: event_id -> the fields of which kind and length are kept, and not the value.
TOLD = {
    "type": {"duration_ms": {"kind": "string", "length": 2}},
    "code": {"error_code": {"kind": "number", "length": 1}},
}


async def rejections(deployment: Deployment) -> dict[str, float]:
    """Return reason -> rejected records in the metrics. Another shard reports them than the events."""
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in (await deployment.metrics()).items()
        if name == "watchofficer_events_rejected_total"
    }


async def test_every_reason_ends_on_the_topic_of_the_rejected_and_in_the_metrics(
    deployment: Deployment,
) -> None:
    bad = bad_values()
    # Between them is what is well, or only odd.
    mixed: list[bytes | None] = []
    for reason, some in bad.items():
        mixed += [*some, login(f"well {reason}", surprise=[[[]]], **DEV)]
    await deployment.produce(mixed)

    async def rejected() -> bool:
        return len(await deployment.on("login-events.rejected")) >= sum(map(len, bad.values()))

    await until(rejected, 20.0, "all of the rejected", deployment.worker)
    log = {(one.partition, one.offset): one for one in await deployment.on("login-events")}
    found: dict[str, list[bytes | None]] = {reason: [] for reason in bad}
    for one in await deployment.on("login-events.rejected"):
        headers = {name: value.decode() for name, value in one.headers.items()}
        topic, partition, offset = headers["topic"], headers["partition"], headers["offset"]
        assert topic == f"{deployment.prefix}login-events"
        assert one.key == f"{topic}/{partition}/{offset}"
        original = log[int(partition), int(offset)].value
        assert headers["detail"]
        if original is None:
            assert one.value is None
        elif headers["reason"] in UNREADABLE or not original.strip():
            digest = {"length": len(original), "sha256": hashlib.sha256(original).hexdigest()}
            assert (one.json(), headers["redacted"]) == (digest, "digest")
            assert headers.get("truncated") == (str(len(original)) if len(original) > 65_536 else None)
        else:
            told = {name: value for name, value in one.json().items() if isinstance(value, dict)}
            assert one.json() == json.loads(original) | told
            assert told == TOLD.get(json.loads(original)["event_id"], {})
        found[headers["reason"]].append(original)
    assert {reason: set(some) for reason, some in found.items()} == {
        reason: set(some) for reason, some in bad.items()
    }

    async def all_counted() -> bool:
        good = await deployment.metric("watchofficer_login_events_total", env="dev", result="good")
        return good >= len(bad)

    await until(all_counted, 20.0, "the events between", deployment.worker)
    assert await deployment.metric("watchofficer_login_events_total", env="dev") == len(bad)

    async def all_rejections_counted() -> bool:
        return sum((await rejections(deployment)).values()) >= sum(map(len, bad.values()))

    await until(all_rejections_counted, 20.0, "the rejected in the metrics", deployment.worker)
    counted = await rejections(deployment)
    assert {reason: counted[reason] for reason in bad} == {reason: len(some) for reason, some in bad.items()}


async def test_what_says_who_a_person_is_never_leaves_the_input_topic(deployment: Deployment) -> None:
    secret = "536-22-0000"
    aside_before = await deployment.on("login-events.rejected")
    known, known_keys = len(aside_before), {one.key for one in aside_before}
    rejected = sum((await rejections(deployment)).values())
    counted = await deployment.metric("watchofficer_login_events_total", env="dev", auth_method="ssoe")
    personal: dict[str, Any] = {"env": "dev", "ssn": secret, "email": "ada@example.org"}
    await deployment.produce(
        [
            login("with-a-number-and-well", **personal),
            login("with-a-number", **{**personal, "step": 7}),
            b'{"ssn": "' + secret.encode() + b'", ',
        ]
    )

    async def both() -> bool:
        return len(await deployment.on("login-events.rejected")) == known + 2

    await until(both, 20.0, "the two rejected", deployment.worker)
    by_header = {
        one.headers["redacted"]: one
        for one in await deployment.on("login-events.rejected")
        if one.key not in known_keys
    }
    kept = by_header[b"fields"].json()
    assert (kept["event_id"], kept["step"]) == ("with-a-number", {"kind": "number", "length": 1})
    assert by_header[b"fields"].headers["forbidden"] == b"ssn,email"
    assert set(by_header[b"digest"].json()) == {"length", "sha256"}

    async def third_is_counted() -> bool:
        sum_now = await deployment.metric("watchofficer_login_events_total", env="dev", auth_method="ssoe")
        return sum_now == counted + 1

    await until(third_is_counted, 20.0, "the event that is valid", deployment.worker)

    async def all_is_counted() -> bool:
        personal = await deployment.metric("watchofficer_events_with_personal_fields_total")
        return personal >= 1 and sum((await rejections(deployment)).values()) >= rejected + 2

    await until(all_is_counted, 20.0, "the rejected and the personal in the metrics", deployment.worker)
    assert await deployment.metric("watchofficer_events_with_personal_fields_total") == 1
    assert sum((await rejections(deployment)).values()) == rejected + 2
    for topic in ("login-events.rejected", "sli-segments", "ingest-state", "sli", "incident-log"):
        for one in await deployment.on(topic):
            assert secret.encode() not in (one.value or b"")
    assert secret not in deployment.worker.said()


async def test_late_and_doubled_events_are_no_bad_input(deployment: Deployment) -> None:
    before = await deployment.metric("watchofficer_events_rejected_total")
    good = await deployment.metric("watchofficer_login_events_total", env="dev", result="good")
    late = login("late", at=now() - 3 * MINUTE, **DEV)
    await deployment.produce([login("doubled", **DEV), late, login("doubled", **DEV), late])

    async def counted() -> bool:
        return (
            await deployment.metric("watchofficer_login_events_total", env="dev", result="good") == good + 2
        )

    await until(counted, 20.0, "both events", deployment.worker)
    assert await deployment.metric("watchofficer_events_rejected_total") == before
