"""Which parts make up a watchdog in a process that has settings and a policy?"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

import httpx

from detectors.instants import SECOND
from detectors.policy.policy import Policy
from streams.runtime.clocks import Clock
from streams.runtime.health import Health
from streams.runtime.logs import masker
from streams.runtime.progress import Progress
from streams.settings.settings import Settings
from streams.watchdog.announcer import Announcer, Others
from streams.watchdog.heartbeat import Heartbeat
from streams.watchdog.tellers import request, tellers
from streams.watchdog.watchdog import Watchdog, WatchdogTime

__all__ = ["make_watchdog", "process_name"]


def process_name(role: str, port: int) -> str:
    """How a process is named to people: its role, machine and port."""
    return f"watchofficer {role} on {socket.gethostname()}, port {port}"


def make_watchdog(
    settings: Settings,
    policy: Policy,
    clock: Clock,
    progress: Progress,
    health: Health,
    *,
    name: str,
    prefix: str | None = None,
    others: Others | None = None,
    blind_after: float | None = None,
    exempt: Callable[[], bool] = lambda: False,
    on_look: Callable[[frozenset[str], Mapping[str, float]], None] = lambda blind, lags: None,
) -> Watchdog:
    """A watchdog that notifies the receivers of the settings. Its thread is not started yet.

    Args:
        settings: credentials and addresses.
        policy: says after how long the watch is blind, and how alerts are named.
        clock: the present, ms.
        progress: what the parts of the process report.
        health: which parts do their work.
        name: of the process, for people.
        prefix: of the keys of its alerts, for a process that is no worker; None for those that workers share.
        others: what other processes say of the watch.
        blind_after: how long something must not get on until the watch is blind, seconds; None: as the policy says.
        exempt: whether a start takes its time for a reason of its own.
        on_look: called in the watchdog's thread after each look.
    """
    times = WatchdogTime(clock=clock, pace=clock.pace)
    # A client of its own: those of the event loop cannot be used from a thread.
    make = request(httpx.Client())
    announcer = Announcer(
        tellers(
            settings,
            make,
            prefix=prefix or policy.notify.dedup_prefix,
            worker=name,
            runbook=policy.runbook_of_blindness,
        ),
        times.monotonic,
        others=others,
    )
    url = settings.heartbeat_url
    return Watchdog(
        progress,
        health,
        announcer,
        blind_after=policy.blind_after / SECOND if blind_after is None else blind_after,
        times=times,
        heartbeat=Heartbeat(url.get_secret_value(), make, times.monotonic) if url else None,
        mask=masker(settings.secrets()),
        exempt=exempt,
        on_look=on_look,
    )
