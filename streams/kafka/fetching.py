"""How long a broker may hold a fetch back while it has nothing new.

Apache Kafka answers as soon as a record arrives; the embedded broker looks again only after a part of the wait has
passed. So what stands between a failing sign-in and a page waits briefly, at ten empty answers a second and consumer.
Faust would wait for 1.5 s and has no setting for it.
"""

from __future__ import annotations

from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

__all__ = ["FETCH_WAIT_MS", "PromptApp"]

FETCH_WAIT_MS = 100


class _Thread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # read when it starts
        return consumer


class _Consumer(Consumer):
    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(Transport):
    Consumer = _Consumer


class PromptApp(faust.App):
    """A Faust app whose consumer waits no longer than ``FETCH_WAIT_MS`` for a fetch."""

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)
