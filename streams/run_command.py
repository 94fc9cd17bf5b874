"""`watchofficer run`: the pipeline against a user's Kafka, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog
import uvloop
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from detectors.policy import Policy, default_policy, load_policy
from streams.clocks import RealClock
from streams.collector import calm_collector
from streams.ingest import Start
from streams.logs import configure_logs
from streams.pipeline import Pipeline, PipelineOptions, Role
from streams.settings import Settings, SettingsError, read_settings
from streams.topics import TopicProblem, Topics, check_clock, create_missing

__all__ = ["run_command"]

log = structlog.get_logger(__name__)

_STOP_SECONDS = 9.0  # ten are promised
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0


def run_command(
    *,
    role: Role,
    port: int | None,
    start: Start,
    policy_file: str | None,
    trust_producer_clocks: bool,
) -> int:
    """Run it; the exit status."""
    from pathlib import Path

    try:
        settings = read_settings(os.environ)
        settings.kafka_client_kwargs()
        file = policy_file or settings.policy
        policy = load_policy(Path(file)) if file else default_policy()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logs(settings.log_format, secrets=settings.secrets())
    options = PipelineOptions(role=role, start=start, port=port or settings.port)
    return uvloop.run(_run(settings, policy, options, trust_producer_clocks))


async def _run(
    settings: Settings, policy: Policy, options: PipelineOptions, trust_producer_clocks: bool
) -> int:
    for sentence in (*settings.unknown, *settings.sinks_off()):
        log.warning("settings", say=sentence)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    told = 0

    def on_signal() -> None:
        nonlocal told
        told += 1
        if told > 1:
            os._exit(1)  # at once: whatever was not written is read again
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    stopping = asyncio.create_task(stop.wait())
    try:
        await _check_port(settings.bind, options.port)
        if not await _unless(stopping, _prepare(settings, policy, trust_producer_clocks)):
            return 0
    except (TopicProblem, _PortTaken) as error:
        print(error, file=sys.stderr)
        return 2
    pipeline = Pipeline(settings, policy, RealClock(), options)
    code = 0
    try:
        if await _unless(stopping, pipeline.start()):
            calm_collector()
            print(f"watchofficer: {pipeline.url} (metrics at /metrics)", file=sys.stderr)
            waited: set[asyncio.Future[Any]] = {stopping, pipeline.failed}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if pipeline.failed.done():
            log.error(
                "stopped_by_failure", error=repr(pipeline.failed.result()), exc_info=pipeline.failed.result()
            )
            code = 1
    finally:
        stopping.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await pipeline.stop()
    return code


class _PortTaken(Exception):
    """HTTP cannot be served where it is to be. The message is one line."""


async def _check_port(host: str, port: int) -> None:
    """Find out before anything else starts.

    Raises:
        _PortTaken: it cannot be listened on.
    """
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise _PortTaken(f"{host} port {port}: {why}; choose another with --port") from None
    server.close()
    await server.wait_closed()


async def _unless(stopping: asyncio.Task[Any], work: Coroutine[Any, Any, None]) -> bool:
    """Do the work to its end, or give it up as soon as we are to stop; whether it was done."""
    doing = asyncio.create_task(work)
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        with suppress(asyncio.CancelledError, KafkaError, OSError):
            await doing
        return False
    doing.result()
    return True


async def _prepare(settings: Settings, policy: Policy, trust_producer_clocks: bool) -> None:
    """Wait for the broker, create what is missing, and check the input topic.

    Raises:
        TopicProblem: topics that may not be created, or whose timestamps cannot be trusted.
    """
    kafka = settings.kafka_client_kwargs()
    topics = Topics(settings.topic_prefix)
    wait = _FIRST_WAIT
    while True:
        try:
            created = await create_missing(topics, kafka)
            break
        except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
            log.warning("broker_away", brokers=settings.broker, error=repr(error), retry_in_seconds=wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
    if created:
        log.info("topics_created", topics=created)
    if not trust_producer_clocks:
        await check_clock(topics.login_events, kafka, policy.future_limit)
