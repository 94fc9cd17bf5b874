"""`watchofficer replay`: files in, a table for people or JSON lines out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.policy import Policy
from streams.judge import Verdict, objects
from streams.records import decode_input
from streams.replay import Replay
from streams.replay_table import ReplayTable
from streams.sources import SourceError, open_lines, partitions

__all__ = ["replay_command"]


def replay_command(
    events: tuple[str, ...],
    policy: Policy,
    *,
    history_file: str | None,
    history_out: str | None,
    inputs_file: str | None,
    sli_every: int | None,
    partitioned: bool,
    now: int,
    form: str,
) -> int:
    """Run it; the exit status.

    Raises:
        SourceError: an input cannot be read.
    """
    if sli_every is not None and sli_every % policy.step:
        raise SourceError(f"--sli-every must be a multiple of the policy's step ({policy.step} ms)")
    replay = Replay(
        partitions(events, partitioned=partitioned),
        policy,
        now=now,
        sli_every=sli_every,
        history=_history(history_file) if history_file else (),
        inputs=_inputs(inputs_file, policy.step) if inputs_file else (),
    )
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(open(history_out, "wb")) if history_out else None
        verdicts = _recorded(replay.run(), out)
        if form == "jsonl":
            for group in _by_t(verdicts):
                for one in objects(group):
                    sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
            sys.stdout.buffer.write(msgspec.json.encode(replay.summary.as_json()) + b"\n")
            sys.stdout.buffer.flush()
        else:
            table = ReplayTable()
            for verdict in verdicts:
                table.add(verdict)
            table.show(replay.summary)
    return 0


def _by_t(verdicts: Iterator[Verdict]) -> Iterator[list[Verdict]]:
    together: list[Verdict] = []
    for verdict in verdicts:
        if together and together[0].step.at != verdict.step.at:
            yield together
            together = []
        together.append(verdict)
    if together:
        yield together


def _recorded(verdicts: Iterator[Verdict], out: IO[bytes] | None) -> Iterator[Verdict]:
    from detectors.instants import format_instant

    for verdict in verdicts:
        if out is not None:
            for record in verdict.step.history:
                at = format_instant(int(str(record["at"])))
                out.write(msgspec.json.encode({**record, "at": at}) + b"\n")
        yield verdict


def _history(name: str) -> Iterator[dict[str, Any]]:
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.MsgspecError as error:
                raise SourceError(f"{name}:{number}: not a record of sli-history: {error}") from None


def _inputs(name: str, step: int) -> list[tuple[int, IncidentInput]]:
    out = []
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            try:
                value = decode_input(line)
                applied = msgspec.json.decode(line).get("applied_at")
            except ValueError as error:
                raise SourceError(f"{name}:{number}: not a record of incident-inputs: {error}") from None
            at = parse_instant(applied) if applied else (value.at // step + 1) * step
            out.append((at, value))
    return out
