"""How does Bytewax do the job? ``with_bytewax.py BROKER TOPIC EVENTS`` prints the answer as JSON on standard output.

One fold counts events and collects people; orjson decodes, because it is the fastest decoder to a dictionary.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Event = tuple[datetime, str | None]
State = tuple[int, set[str]]


def main(broker: str, topic: str, events: int) -> None:
    """Read ``events`` events, and print the windows and the time that they took."""
    times: list[float] = []
    seen = 0

    def decode(message: KafkaSourceMessage) -> tuple[str, Event]:
        nonlocal seen
        if not times:
            times.append(time.perf_counter())
        seen += 1
        event = orjson.loads(message.value)
        person = event["user_hash"] if event["outcome"] == "failure" else None
        return event["auth_method"], (datetime.fromisoformat(event["occurred_at"]), person)

    def fold(state: State, event: Event) -> State:
        count, people = state
        if event[1] is not None:
            people.add(event[1])
        return count + 1, people

    closed: list[tuple[str, tuple[int, State]]] = []
    flow = Dataflow("job")
    messages: Any = op.input("messages", flow, KafkaSource([broker], [topic], tail=False))
    keyed = op.map("decode", messages, decode)
    windows = win.fold_window(
        "minutes",
        keyed,
        win.EventClock(ts_getter=lambda event: event[0], wait_for_system_duration=timedelta(minutes=2)),
        win.TumblingWindower(length=timedelta(minutes=1), align_to=EPOCH),
        lambda: (0, set()),
        fold,
        lambda one, other: (one[0] + other[0], one[1] | other[1]),
        ordered=False,
    )
    op.output("closed", windows.down, TestingSink(closed))
    run_main(flow)
    seconds = time.perf_counter() - times[0]
    if seen != events:
        raise SystemExit(f"{seen} events instead of {events}")
    found = [[at * 60_000, method, count, len(people)] for method, (at, (count, people)) in closed]
    print(json.dumps({"seconds": seconds, "windows": sorted(found)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
