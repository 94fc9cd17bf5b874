"""How does `watchofficer run --role guard` start and stop? This process imports no Faust."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from detectors.policy.policy import Policy
from streams.cli.configuration import announce, configured, warn_of_settings
from streams.http.server import AddressTaken
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.runtime.leaving import STOP_SECONDS, stop_on_signals
from streams.settings.settings import Settings, SettingsError
from streams.worker.guard import Guard

__all__ = ["guard_command"]


def guard_command(*, port: int | None, policy_file: str | None, verbose: bool) -> int:
    """Run a guard until a signal stops it; returns the exit status."""
    try:
        settings, policy, _ = configured(os.environ, policy_file, verbose=verbose)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(_run(settings, policy, settings.port if port is None else port, policy_file))


async def _run(settings: Settings, policy: Policy, port: int, policy_file: str | None) -> int:
    warn_of_settings(settings, policy)
    stop = stop_on_signals()
    guard = Guard(settings, policy, RealClock(), port)
    try:
        await guard.start()
    except AddressTaken as error:
        print(error, file=sys.stderr)
        return 2
    announce(
        settings,
        policy,
        roles=("guard",),
        reads=(Topics(settings.topic_prefix).watch_state,),
        serves=f"{guard.url} (readiness at /readyz)",
        policy_file=policy_file,
    )
    await stop.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await guard.stop()
    return 0
