"""Faust's consumer, and how long it lets the broker hold a fetch back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from streams.kafka.clients import FETCH_WAIT_MS
from streams.kafka.faust_app import AppOptions, create_app
from streams.settings.settings import Settings


async def test_the_consumer_of_the_agents_waits_as_briefly_as_ingest(tmp_path: Path) -> None:
    settings = Settings.model_validate({"broker": "127.0.0.1:1"})
    options = AppOptions(name="a", session_seconds=10, datadir=str(tmp_path))
    app = create_app(settings, options)
    consumer: Any = app.consumer
    made = consumer._thread._create_consumer(asyncio.get_running_loop())
    assert made._fetch_max_wait_ms == FETCH_WAIT_MS < 1_500
    assert made._group_id == "a"
    await made.stop()
    consumer._thread.thread_loop.close()
