"""Which partitions are this worker's, and what follows when they change hands?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

import faust

from streams.dispatch.service import Dispatch
from streams.evaluate.service import Evaluate
from streams.http.views import Views
from streams.ingest.service import Ingest
from streams.kafka.faust_app import check_running, owned
from streams.kafka.topics import Topics
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.worker.metrics_feed import MetricsFeed

__all__ = ["HAND_OVER_SECONDS", "Assignment"]

#: For the work under way when partitions are given away, or the worker ends, seconds.
HAND_OVER_SECONDS = 3.0
_LOOK_EVERY = 0.5  # seconds between looks at the assignment
_FLEET_EVERY = 5.0  # seconds between looks at all environments
_LOOK_SOON = 0.05  # seconds between looks while a part is not ready


class Assignment:
    """Follows the assignment of partitions to this worker, and reports which parts are ready.

    Args:
        app: the Faust app, whose consumer group assigns the partitions of evaluate and dispatch.
        topics: their names.
        evaluate, dispatch, ingest: the parts that run here; None for a part of another role.
        views: the memory that HTTP answers from.
        feed: sets the metrics.
        health: is told whether each part is ready.
        progress: is told how far each environment is evaluated, and which commands have not been sent.
        clock: the present, ms.
    """

    def __init__(
        self,
        app: faust.App,
        topics: Topics,
        *,
        evaluate: Evaluate | None,
        dispatch: Dispatch | None,
        ingest: Ingest | None,
        views: Views,
        feed: MetricsFeed,
        health: Health,
        progress: Progress,
        clock: Callable[[], int],
    ) -> None:
        self._app = app
        self._topics = topics
        self._evaluate = evaluate
        self._dispatch = dispatch
        self._ingest = ingest
        self._views = views
        self._feed = feed
        self._health = health
        self._progress = progress
        self._clock = clock
        self._unevaluated: set[str] = set()
        self._fleet_at = float("-inf")
        self._polled_at = 0.0
        signals: Any = app
        signals.on_partitions_revoked.connect(self._revoked)
        signals.on_partitions_assigned.connect(self._assigned)

    async def _revoked(self, _: object, *revoked: Collection[Any], **__: object) -> None:
        """Finish the work under way before other workers take the partitions over, and begin no more."""
        waits = []
        if self._dispatch is not None:
            commands = {tp.partition for some in revoked for tp in some if tp.topic == self._topics.commands}
            waits.append(self._dispatch.let_go(commands, HAND_OVER_SECONDS))
        if self._evaluate is not None:
            waits.append(self._evaluate.settle(HAND_OVER_SECONDS))
        await asyncio.gather(*waits)

    async def _assigned(self, _: object, *assigned: Collection[Any], **__: object) -> None:
        segments = self._topics.segments
        self._keep_shards({tp.partition for some in assigned for tp in some if tp.topic == segments})

    def _keep_shards(self, partitions: Collection[int]) -> None:
        if self._evaluate is not None:
            self._feed.shards_dropped(self._evaluate.keep(partitions))

    async def follow(self, fail: Callable[[BaseException], None]) -> None:
        """Look at the assignment again and again; ``fail`` is called with an error that ends the worker."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SOON if self._health.waiting() else _LOOK_EVERY)
                await self._look()
        except Exception as error:
            fail(error)
        finally:  # whoever comes next has obstacles of its own
            for env in self._unevaluated:
                self._progress.going(Why.START, f"env {env}")
            self._progress.going(Why.START, "ingest")
            self._progress.set_unsent({})
            self._progress.unheard_for = 0.0

    async def _look(self) -> None:
        check_running(self._app)
        if self._evaluate is not None:
            self._look_at_evaluate(self._evaluate)
        if self._dispatch is not None:
            await self._look_at_dispatch(self._dispatch)
        if self._views.ready:
            self._health.ready("views")
            self._look_at_fleet()
        if self._ingest is not None:
            self._look_at_ingest(self._ingest)

    def _look_at_fleet(self) -> None:
        """Report now and then what the topics say of all environments: many indicators are looked through."""
        now = time.monotonic()
        if now - self._fleet_at >= _FLEET_EVERY:
            self._fleet_at = now
            self._progress.set_fleet(self._views.evaluated_to())

    def _look_at_evaluate(self, evaluate: Evaluate) -> None:
        partitions = owned(self._app, self._topics.segments)
        if partitions is None:
            return
        self._keep_shards(partitions)
        missing = partitions - set(evaluate.shards)
        if missing:
            self._health.unready("evaluate", f"partitions {sorted(missing)} are not restored yet")
        else:
            self._health.ready("evaluate")
        self._look_for_unevaluated(evaluate)

    def _look_for_unevaluated(self, evaluate: Evaluate) -> None:
        """Report the environments that have been restored here, and of which nothing has been evaluated ever."""
        found = {
            env: shard
            for shard in evaluate.shards.values()
            if shard.evaluated_to is None
            for env in shard.envs
        }
        for env, shard in found.items():
            held = shard.held_back_by()
            sentence = f"{env} has not been evaluated since this worker started"
            self._progress.stuck(Why.START, f"{sentence}: {held}" if held else sentence, key=f"env {env}")
        for env in self._unevaluated - found.keys():
            self._progress.going(Why.START, f"env {env}")
        self._unevaluated = set(found)

    async def _look_at_dispatch(self, dispatch: Dispatch) -> None:
        partitions = owned(self._app, self._topics.commands)
        if partitions is not None:
            await dispatch.own(partitions)
            self._health.ready("sinks")
        self._feed.deliveries(dispatch.deliveries)
        oldest = dispatch.oldest_pending()
        self._feed.pending(oldest, self._clock())
        self._feed.gates(dispatch.gates())
        self._progress.unheard_for = dispatch.unheard_for(self._clock())
        self._progress.set_unsent({sink: at for sink, (_, at) in oldest.items()})

    def _look_at_ingest(self, ingest: Ingest) -> None:
        if ingest.polled_at > self._polled_at:
            self._polled_at = ingest.polled_at
            self._health.beat("ingest")
        self._feed.ingest(ingest)
        if ingest.assigned:
            self._health.ready("ingest")
            self._progress.going(Why.START, "ingest")
            return
        waits = "its partitions are not assigned or not restored yet"
        self._health.unready("ingest", waits)
        self._progress.stuck(Why.START, f"ingest does not read the input: {waits}", key="ingest")
