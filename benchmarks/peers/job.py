"""What is the job, who does it, and what is the right answer?

The job is to count events and distinct people who failed, per auth method and minute of event time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.instants import MINUTE, parse_instant
from detectors.windows.facts import FactRow
from tests.support.mixed_events import mixed_events

__all__ = [
    "OURS",
    "PER_SECOND",
    "Window",
    "Worker",
    "WrongAnswer",
    "answer_of",
    "check",
    "combined",
    "expected",
    "job_events",
]

#: Events per second of event time.
PER_SECOND = 1_000
#: (minute, method, events, distinct people who failed)
Window = list[Any]


class WrongAnswer(Exception):
    """A measured system gave a wrong answer."""


@dataclass(frozen=True)
class Worker:
    """A system that does the job.

    Attributes:
        name: the name of its figure.
        title: the system in words.
        script: its script in this folder, without suffix, or its class in ``jvm``.
        share: the share of the events that it receives; slow systems receive fewer.
        goal: how many times as fast watchofficer must be; 0 for watchofficer itself.
        keeps: what would survive a crash.
        on_jvm: whether it runs on the JVM.
    """

    name: str
    title: str
    script: str
    share: float
    goal: float
    keeps: str = ""
    on_jvm: bool = False


OURS = Worker("watchofficer", "watchofficer's ingest", "with_watchofficer", 1.0, 0)


def job_events(count: int, start: int) -> list[bytes]:
    """Return ``count`` valid events from ``start`` (ms), without duplicates; one in a hundred is a minute late."""
    events: dict[str, bytes] = {}
    for _, value in mixed_events(count + count // 20, start, PER_SECOND):
        try:
            events.setdefault(json.loads(value)["event_id"], value)
        except ValueError:
            continue
    return list(events.values())[:count]


def expected(events: Sequence[bytes]) -> list[Window]:
    """Return the right answer, counted in the simplest way."""
    counts: dict[tuple[int, str], int] = {}
    people: dict[tuple[int, str], set[str]] = {}
    for value in events:
        event = json.loads(value)
        at = parse_instant(event["occurred_at"])
        cell = (at - at % MINUTE, event["auth_method"])
        counts[cell] = counts.get(cell, 0) + 1
        failing = people.setdefault(cell, set())
        if event["outcome"] == "failure":
            failing.add(event["user_hash"])
    return [[at, method, count, len(people[at, method])] for (at, method), count in sorted(counts.items())]


def check(worker: Worker, windows: Sequence[Window], events: Sequence[bytes]) -> None:
    """Compare an answer with the expected one; windows that hold only a closing event are left out.

    Raises:
        WrongAnswer: the answers differ.
    """
    wanted = expected(events)
    last: int = wanted[-1][0]
    found = [window for window in windows if window[0] <= last]
    if found != wanted:
        wrong = [window for window in found if window not in wanted]
        raise WrongAnswer(f"{worker.title} counted wrongly: {wrong[:3]}, expected {wanted[:3]}")


def answer_of(lines: Iterable[str]) -> tuple[float, list[Window]] | None:
    """Return the seconds and the answer that a system prints; None if it ends without."""
    for line in lines:
        if line.startswith('{"seconds"'):
            told = json.loads(line)
            return told["seconds"], told["windows"]
    return None


def combined(rows: Iterable[FactRow]) -> list[Window]:
    """Return the answer that panes of a second give."""
    counts: dict[tuple[int, str], int] = {}
    people: dict[tuple[int, str], set[int]] = {}
    for row in rows:
        cell = (row.pane - row.pane % MINUTE, row.leaf[0] or "")
        counts[cell] = counts.get(cell, 0) + row.count
        people.setdefault(cell, set()).update(row.people)
    return [[at, method, count, len(people[at, method])] for (at, method), count in sorted(counts.items())]
