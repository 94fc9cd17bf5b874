"""How does `watchofficer run --role guard` start and stop? This process imports no Faust."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from detectors.policy.policy import Policy
from streams.http.server import AddressTaken
from streams.runtime.clocks import RealClock
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import default_policy, load_policy
from streams.settings.settings import Settings, SettingsError, read_settings
from streams.worker.guard import Guard

__all__ = ["guard_command"]

log = structlog.get_logger(__name__)

_STOP_SECONDS = 9.0


def guard_command(*, port: int | None, policy_file: str | None) -> int:
    """Run a guard until a signal stops it; returns the exit status."""
    try:
        settings = read_settings(os.environ)
        settings.kafka_client_kwargs()
        file = policy_file or settings.policy
        policy = load_policy(Path(file)) if file else default_policy()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logs(settings.log_format, secrets=settings.secrets())
    return asyncio.run(_run(settings, policy, port or settings.port))


async def _run(settings: Settings, policy: Policy, port: int) -> int:
    for sentence in (*settings.unknown, *settings.sinks_off()):
        log.warning("settings", say=sentence)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    guard = Guard(settings, policy, RealClock(), port)
    try:
        await guard.start()
    except AddressTaken as error:
        print(error, file=sys.stderr)
        return 2
    print(f"watchofficer guard: {guard.url}/readyz", file=sys.stderr)
    await stop.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await guard.stop()
    return 0
