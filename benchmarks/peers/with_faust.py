"""How does stock faust-streaming do the job? ``with_faust.py BROKER TOPIC EVENTS`` prints the answer as JSON.

The script has a windowed table of counts and a windowed set table of people, as Faust's documentation shows them. Keys
of records are the auth methods already, so that no repartition topic is needed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import faust

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class LoginEvent(faust.Record, coerce=True, serializer="json"):
    """The fields that the job needs."""

    occurred_at: datetime
    auth_method: str
    outcome: str
    user_hash: str


def main(broker: str, name: str, events: int) -> None:
    """Read ``events`` events, and print the windows and the time that they took."""
    app = faust.App(
        f"faust-{uuid.uuid4().hex}",
        broker=f"kafka://{broker}",
        topic_partitions=1,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        web_enabled=False,
        datadir=tempfile.mkdtemp(prefix="faust-"),
    )
    topic = app.topic(name, key_type=str, key_serializer="raw", value_type=LoginEvent)
    occurred_at: Any = LoginEvent.occurred_at  # on the class, this is a descriptor of the field
    counts: Any = app.Table("counts", default=int).tumbling(MINUTE, expires=DAY)
    counts = counts.relative_to_field(occurred_at)
    people: Any = app.SetTable("people", value_type=str).tumbling(MINUTE, expires=DAY)
    people = people.relative_to_field(occurred_at)

    @app.agent(topic)
    async def count(stream: Any) -> None:
        seen, began = 0, 0.0
        async for event in stream:
            if not seen:
                began = time.perf_counter()
            counts[event.auth_method] += 1
            if event.outcome == "failure":
                people[event.auth_method].add(event.user_hash)
            seen += 1
            if seen == events:
                answer(time.perf_counter() - began)

    def answer(seconds: float) -> None:
        failing = {key: len(members) for key, members in people.table.items()}
        windows = [
            [round(start * 1000), method, count, failing.get((method, (start, end)), 0)]
            for (method, (start, end)), count in counts.table.items()
        ]
        print(json.dumps({"seconds": seconds, "windows": sorted(windows)}), flush=True)

    faust.Worker(app, loglevel="WARN", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
