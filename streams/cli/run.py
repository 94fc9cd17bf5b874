"""How does `watchofficer run` start a worker, wait for the broker, and stop?"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog
import uvloop
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from detectors.errors import WatchofficerError
from detectors.policy.policy import Policy
from streams.ingest.settings import Start
from streams.kafka.admin import TopicProblem, check_clock, create_missing
from streams.kafka.clients import Backoff
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.runtime.gc_tuning import tune_gc
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import default_policy, load_policy
from streams.settings.settings import Settings, SettingsError, read_settings
from streams.worker.worker import Role, Worker, WorkerOptions

__all__ = ["run_command"]

log = structlog.get_logger(__name__)

_STOP_SECONDS = 9.0  # the documented limit is ten
_LEAVE_SECONDS = 9.8  # the process exits then, even if a thread hangs
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0  # seconds


def run_command(
    *,
    role: Role,
    port: int | None,
    start: Start,
    policy_file: str | None,
    trust_producer_clocks: bool,
) -> int:
    """Run a worker until a signal or a failure stops it; returns the exit status."""
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
    options = WorkerOptions(role=role, start=start, port=port or settings.port)
    return uvloop.run(_run(settings, policy, options, trust_producer_clocks))


async def _run(
    settings: Settings, policy: Policy, options: WorkerOptions, trust_producer_clocks: bool
) -> int:
    for sentence in (*settings.unknown, *settings.sinks_off()):
        log.warning("settings", say=sentence)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            os._exit(1)  # at once: the next start reads again what was not written
        _leave_in_time(0)
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
    try:
        return await _work(settings, policy, options, stopping)
    finally:
        stopping.cancel()


async def _work(
    settings: Settings, policy: Policy, options: WorkerOptions, stopping: asyncio.Task[Any]
) -> int:
    """Run workers until ``stopping`` ends or a worker fails; returns the exit status."""
    backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
    while True:
        try:
            return await _run_once(Worker(settings, policy, RealClock(), options), stopping)
        except (KafkaError, OSError) as error:
            log.warning("broker_unavailable_at_start", error=repr(error), retry_in_seconds=backoff.failed())
        if not await _unless(stopping, backoff.wait()):
            return 0


async def _run_once(worker: Worker, stopping: asyncio.Task[Any]) -> int:
    """Run one worker until ``stopping`` ends or the worker fails; returns the exit status.

    Raises:
        KafkaError, OSError: the broker became unavailable during the start.
    """
    code = 0
    try:
        if await _unless(stopping, worker.start()):
            tune_gc()
            print(f"watchofficer: {worker.url} (metrics at /metrics)", file=sys.stderr)
            waited: set[asyncio.Future[Any]] = {stopping, worker.failed}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if worker.failed.done():
            log.error(
                "stopped_by_failure", error=repr(worker.failed.result()), exc_info=worker.failed.result()
            )
            code = 1
            _leave_in_time(code)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await worker.stop()
    return code


def _leave_in_time(code: int) -> None:
    """Exit soon even if a thread or a broker connection hangs; the next start reads again what was not written."""
    timer = threading.Timer(_LEAVE_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


class _PortTaken(WatchofficerError):
    """HTTP cannot be served on the configured address. The message is one line."""


async def _check_port(host: str, port: int) -> None:
    """Check that HTTP can listen, before the worker starts.

    Raises:
        _PortTaken: the address is in use or not available.
    """
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise _PortTaken(f"{host} port {port}: {why}; choose another with --port") from None
    server.close()
    await server.wait_closed()


async def _unless(stopping: asyncio.Task[Any], work: Coroutine[Any, Any, None]) -> bool:
    """Run ``work`` to its end, or cancel it when ``stopping`` ends; returns whether the work was done."""
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
    """Wait for the broker, create missing topics, and check the input topic.

    Raises:
        TopicProblem: a topic cannot be created, or the timestamps of the input topic cannot be trusted.
    """
    kafka = settings.kafka_client_kwargs()
    topics = Topics(settings.topic_prefix)
    backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
    while True:
        try:
            created = await create_missing(topics, kafka)
            if created:
                log.info("topics_created", topics=created)
            if not trust_producer_clocks:
                await check_clock(topics.login_events, kafka, policy.future_limit)
            return
        except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
            wait = backoff.failed()
            log.warning(
                "broker_unavailable", brokers=settings.broker, error=repr(error), retry_in_seconds=wait
            )
            await backoff.wait()
