"""How is the Faust app made that consumes the low-rate topics? A factory makes it; nothing starts at import.

Agents never raise: an exception in one would let Faust commit past the record that caused it. An
exception in an agent ends the process before the record is acknowledged, and the next owner takes the record again.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import faust
import structlog
from faust.tables import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from streams.kafka.clients import FETCH_WAIT_MS
from streams.kafka.topics import Topics
from streams.settings.settings import Settings

__all__ = [
    "AppOptions",
    "add_agent",
    "agents_group",
    "check_running",
    "create_app",
    "generation",
    "look_through_modules",
    "owned",
    "reads_on",
]

log = structlog.get_logger(__name__)

#: (partition, offset, value, key)
Take = Callable[[int, int, bytes | None, bytes | None], Awaitable[None]]


class AppOptions:
    """What differs between a deployment and the demo.

    Args:
        name: of the app and its consumer group.
        session_seconds: after so long without a heartbeat a worker's partitions are given to another.
        datadir: a folder for Faust's files.
    """

    def __init__(self, *, name: str, session_seconds: float, datadir: str) -> None:
        self.name = name
        self.session_seconds = session_seconds
        self.datadir = datadir


class _NoTables(TableManager):
    """The manager of no tables. Faust's own waits a second for tables before the group is joined."""

    async def on_start(self) -> None:
        """Let the app go on at once."""
        await self._update_channels()
        await self.recovery.start()


class _PromptThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # aiokafka reads it when the consumer starts
        return consumer


class _PromptConsumer(Consumer):
    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)


class _PromptTransport(Transport):
    Consumer = _PromptConsumer


class _PromptApp(faust.App):
    """A Faust app whose consumer lets a broker hold a fetch back for ``FETCH_WAIT_MS`` at most.

    Faust would allow 1.5 s, and has no setting for it.
    """

    def _new_transport(self) -> Any:
        return _PromptTransport(self.conf.broker_consumer, self)


def create_app(settings: Settings, options: AppOptions) -> faust.App:
    """A Faust app without a web server, and without agents yet."""
    return _PromptApp(
        options.name,
        broker=settings.faust_broker_urls(),
        broker_credentials=settings.faust_broker_credentials(),
        broker_session_timeout=options.session_seconds,
        broker_heartbeat_interval=max(0.5, options.session_seconds / 5),
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        autodiscover=False,
        datadir=options.datadir,
        store="memory://",
        TableManager=_NoTables,
        origin="streams",
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        logging_config=None,
        web_enabled=False,
    )


def look_through_modules() -> None:
    """Do now what Faust's first agent asks for, in a tenth of a second: which module stands in which file."""
    inspect.getmodule(look_through_modules.__code__)


def add_agent(
    app: faust.App, topic: str, name: str, take: Take, fail: Callable[[BaseException], None]
) -> None:
    """Consume a topic record by record, in order, acknowledging each after ``take`` has returned."""

    async def consume(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            try:
                await take(message.partition, message.offset, message.value, message.key)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                fail(error)
                await asyncio.Event().wait()  # until the process ends: this record is not acknowledged

    channel = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", internal=False
    )
    app.agent(channel, name=name)(consume)


def owned(app: faust.App, topic: str) -> set[int] | None:
    """The partitions of a topic that are this worker's; None while that is being settled."""
    consumer = app.consumer
    if app.rebalancing or not consumer:
        return None
    return {tp.partition for tp in consumer.assignment() if tp.topic == topic}


def generation(app: faust.App) -> int:
    """The generation of the consumer group in which this worker got its partitions."""
    return int(app.consumer_generation_id)


def reads_on(app: faust.App, topic: str, partition: int, offset: int) -> bool:
    """Whether a partition is known to hold records after an offset, as of the last fetch."""
    consumer = app.consumer
    try:
        end = consumer.highwater(faust.types.TP(topic, partition)) if consumer else None
    except AssertionError:  # it is not ours any more
        return False
    return end is not None and offset + 1 < end


def check_running(app: faust.App) -> None:
    """Make sure that the app and its consumer run: one whose consumer has crashed consumes nothing, and says nothing.

    Raises:
        ConnectionError: they have crashed, for instance since the broker denies the consumer its group.
    """
    consumer = app.consumer
    for part in (app, consumer, getattr(consumer, "_thread", None)):
        if part is not None and part.crashed:
            raise ConnectionError(f"the consumer of the agents has ended: {part.crash_reason!r}")


def agents_group(topics: Topics) -> str:
    """The name of the Faust app, which is also its consumer group."""
    return f"{topics.prefix}watchofficer"
