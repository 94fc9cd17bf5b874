"""How does `watchofficer run` start a worker, wait for the broker, and stop?"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import structlog
import uvloop

from detectors.history.local_calendar import WallClock
from detectors.policy.policy import Policy
from streams.cli.configuration import announce, configured, inputs_of, warn_of_settings
from streams.http.server import AddressTaken
from streams.ingest.blocks import LogReplaced
from streams.ingest.settings import Start
from streams.kafka.admin import TopicProblem
from streams.kafka.faust_app import look_through_modules
from streams.records.reading import Unreadable
from streams.runtime.clocks import RealClock
from streams.runtime.gc_tuning import tune_gc
from streams.runtime.leaving import STOP_SECONDS, leave_in_time, stop_on_signals
from streams.settings.settings import Settings, SettingsError
from streams.worker.worker import Role, Worker, WorkerOptions

__all__ = ["run_command"]

log = structlog.get_logger(__name__)


def run_command(
    *,
    role: Role,
    port: int | None,
    start: Start,
    policy_file: str | None,
    trust_producer_clocks: bool,
    verbose: bool,
    policy_force: bool,
) -> int:
    """Run a worker until a signal or a failure stops it; returns the exit status."""
    try:
        settings, policy, file = configured(os.environ, policy_file, verbose=verbose)
        inputs = inputs_of(settings) if role in ("all", "ingest") else ()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    options = WorkerOptions(
        role=role,
        start=start,
        port=settings.port if port is None else port,
        check_timestamps=not trust_producer_clocks,
        inputs=inputs,
        policy_file=file,
        policy_force=policy_force,
    )
    if settings.broker_security.encrypted:
        # On uvloop closing a TLS connection to a broker at times waits for 30 s (measured in half of the tries).
        return asyncio.run(_run(settings, policy, options, policy_file))
    return uvloop.run(_run(settings, policy, options, policy_file))


async def _run(settings: Settings, policy: Policy, options: WorkerOptions, policy_file: str | None) -> int:
    """Run a worker until a signal or a failure stops it; returns the exit status."""
    warn_of_settings(settings, policy)
    stop = stop_on_signals()
    stopping = asyncio.create_task(stop.wait())
    clock = RealClock()
    # Now, as it would hold up the event loop later.
    look_through_modules()
    if "evaluate" in options.roles:
        WallClock(policy.time_zone, policy.holidays).load(clock())
    worker = Worker(settings, policy, clock, options)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, worker.reload_policy)
    try:
        await worker.start()
    except AddressTaken as error:
        print(error, file=sys.stderr)
        return 2
    tuning = asyncio.create_task(_tune(worker))
    announce(
        settings,
        policy,
        roles=options.roles,
        reads=[one.topic for one in options.inputs] or [worker.topics.login_events],
        serves=f"{worker.url} (console; metrics at /metrics)",
        policy_file=policy_file,
    )
    try:
        waited: set[asyncio.Future[Any]] = {stopping, worker.failed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        code = _say_failure(worker.failed.result()) if worker.failed.done() else 0
        if code:
            leave_in_time(code)
        return code
    finally:
        stopping.cancel()
        tuning.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await worker.stop()


async def _tune(worker: Worker) -> None:
    """Tune the collector of garbage once all that stays has been made."""
    await worker.started.wait()
    tune_gc()


def _say_failure(failure: BaseException) -> int:
    """Say why a worker cannot go on; returns the exit status."""
    if isinstance(failure, TopicProblem | Unreadable | LogReplaced):
        print(failure, file=sys.stderr)
        return 2
    log.error("stopped_by_failure", error=repr(failure), exc_info=failure)
    return 1
