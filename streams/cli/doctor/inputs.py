"""Is what a running worker reads in order?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import msgspec
from pydantic import SecretStr

from detectors.instants import MINUTE, format_duration
from streams.cli.doctor.check import Check
from streams.cli.inputs.address import why_not
from streams.ingest.input_health import InputReport

__all__ = ["input_checks", "worker_checks"]

_PATIENCE = 10.0  # seconds for an answer
#: Of fewer events or records nothing is concluded.
_LEAST = 20
_SOME, _MOST = 0.05, 0.5
_OLD = 10 * MINUTE


class _Answer(msgspec.Struct):
    now: int
    inputs: list[InputReport]


def input_checks(now: int, inputs: list[InputReport]) -> Iterator[Check]:
    """Yield the checks of the inputs: what became of the records of the last minutes.

    Args:
        now: the present of the worker, ms.
        inputs: as the worker reports them.
    """
    for one in inputs:
        name, minutes = f"input {one.input}", f"in the last {one.seconds // 60} minutes"
        rejected, skipped = sum(one.rejected.values()), sum(one.skipped.values())
        total = one.events + skipped
        yield _events(one, name, now)
        if total < _LEAST:
            continue
        shares = (
            f"{minutes} {_share(one.events - rejected, total)} mapped, {_share(skipped, total)} skipped, "
            f"{_share(rejected, total)} rejected"
        )
        yield _shares(one, name, shares, rejected, total)
        if one.unknown > _SOME * total:
            known = "; ".join(f"{shape.shape} ({shape.count:,})" for shape in one.shapes)
            yield Check(
                name,
                "warning",
                f"no rule knows {_share(one.unknown, total)} of the records: {known or 'none is frequent'}",
                "if these are sign-ins, add them to the mapping, else a skip rule (docs/sources.md)",
            )
        for lack in one.lacks:
            yield Check(name, "warning", lack.what, f"{lack.remedy} (docs/sources.md)")


def _events(one: InputReport, name: str, now: int) -> Check:
    if one.newest is None:
        return Check(
            name,
            "warning",
            "no event has come since this worker started",
            "compare the topic with WATCHOFFICER_INPUTS; another worker may read it",
        )
    age = max(0, now - one.newest)
    said = f"the newest event is {format_duration(age - age % 1000) if age >= 1000 else '0s'} old"
    if age > _OLD:
        return Check(name, "warning", said, "ask its producer, unless nobody signs in at this hour")
    return Check(name, "ok", said)


def _shares(one: InputReport, name: str, shares: str, rejected: int, total: int) -> Check:
    reasons = ", ".join(sorted(one.rejected, key=lambda reason: -one.rejected[reason]))
    if rejected > _MOST * one.events:
        return Check(
            name,
            "failed",
            f"{shares}: {reasons}",
            "see login-events.rejected, and ask what the producer has changed",
        )
    if not one.events:
        rules = ", ".join(sorted(one.skipped, key=lambda rule: -one.skipped[rule])[:3])
        return Check(
            name,
            "failed",
            f"{shares}, by {rules}: no sign-in is seen",
            "try `watchofficer map MAPPING FILE` with records of the topic",
        )
    if rejected > _SOME * one.events:
        return Check(name, "warning", f"{shares}: {reasons}", "see login-events.rejected for what they lack")
    return Check(name, "ok", shares)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def worker_checks(base: str, token: SecretStr | None, tls: ssl.SSLContext) -> list[Check]:
    """The checks of the inputs of a worker that runs.

    Args:
        base: where it serves HTTP.
        token: of HTTP; None for none.
        tls: says which certificates are trusted.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    try:
        answer = httpx.get(
            f"{base}/api/v1/inputs-health", headers=headers, timeout=_PATIENCE, trust_env=False, verify=tls
        )
        answer.raise_for_status()
        found = msgspec.json.decode(answer.content, type=_Answer)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError) as error:
        remedy = "start one with `watchofficer run`, or say where it is with --url"
        return [Check("worker", "failed", f"no worker answers at {base}: {why_not(error)}", remedy)]
    checks = list(input_checks(found.now, found.inputs))
    return checks or [
        Check("inputs", "warning", "this worker reads no input", "ask one with the role ingest, by --url")
    ]
