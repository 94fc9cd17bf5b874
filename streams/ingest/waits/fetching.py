"""For what does ingest wait before it asks the consumer for the next batch?"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["gather", "let_fetch"]

_TURNS = 5  # of the loop: after three of them aiokafka has seen what was taken, and has asked for more
#: A batch costs half a millisecond for each partition, as much as a hundred records. So few records are read at most so
#: often (seconds): else a worker that keeps up spends most of its time on batches of a few records each.
_FEW, _GATHER_SECONDS = 1_000, 0.02


async def let_fetch() -> None:
    """Let aiokafka ask for the next batch, so that the broker sends it while this batch is folded."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def gather(batches: Mapping[Any, Collection[Any]]) -> None:
    """After a few records let more come for a moment; after none, or many, go on at once."""
    if 0 < sum(len(records) for records in batches.values()) < _FEW:
        await asyncio.sleep(_GATHER_SECONDS)
