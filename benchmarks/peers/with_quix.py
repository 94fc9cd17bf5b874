"""How does Quix Streams do the job? ``with_quix.py BROKER TOPIC EVENTS`` prints the answer as JSON.

Keys of records are the auth methods already, so that no repartition topic is needed. There are two windows, because a
distinct count requires collecting events, and only the few failures are collected.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Collect, Count

MINUTE = timedelta(minutes=1)
GRACE = timedelta(minutes=2)


def main(broker: str, name: str, events: int) -> None:
    """Read ``events`` events, and print the windows and the time that they took."""
    state = tempfile.mkdtemp(prefix="quix-")
    app = Application(
        broker_address=broker,
        consumer_group=f"quix-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        state_dir=state,
        loglevel="WARNING",
        on_message_processed=lambda *_: tick(),
        consumer_extra_config={"session.timeout.ms": 6000},
    )
    seen, began = 0, 0.0

    def tick() -> None:
        nonlocal seen
        seen += 1
        if seen == events:
            app.stop()

    def occurred_at(value: Any, _headers: Any, _timestamp: float, _type: Any) -> int:
        nonlocal began
        began = began or time.perf_counter()
        return round(datetime.fromisoformat(value["occurred_at"]).timestamp() * 1000)

    counts: dict[tuple[int, str], int] = {}
    people: dict[tuple[int, str], int] = {}

    def count(window: dict[str, Any], key: Any, _timestamp: int, _headers: Any) -> None:
        counts[window["start"], key] = window["count"]

    def failing(window: dict[str, Any], key: Any, _timestamp: int, _headers: Any) -> None:
        people[window["start"], key] = len(set(window["people"]))

    topic = app.topic(
        name, key_deserializer="str", value_deserializer="json", timestamp_extractor=occurred_at
    )
    sdf = app.dataframe(topic)
    all_of_them = sdf.tumbling_window(MINUTE, grace_ms=GRACE, name="all").agg(count=Count())
    all_of_them.final().update(count, metadata=True)
    failed = sdf[sdf["outcome"] == "failure"].tumbling_window(MINUTE, grace_ms=GRACE, name="failed")
    failed.agg(people=Collect("user_hash")).final().update(failing, metadata=True)
    app.run()  # commits and flushes its state at the end
    seconds = time.perf_counter() - began
    windows = [[at, key, count, people.get((at, key), 0)] for (at, key), count in sorted(counts.items())]
    print(json.dumps({"seconds": seconds, "windows": windows}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
