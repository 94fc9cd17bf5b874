"""Do the receivers accept the credentials? Nobody is paged, and nothing is posted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx

from detectors.notification.routes import unheard
from detectors.policy.policy import Policy
from sinks.receivers.answers import Retry
from sinks.receivers.contract import ReceiverSettings
from streams.cli.doctor.check import Check
from streams.settings.settings import PREFIX, Settings

__all__ = ["receiver_checks"]

_PATIENCE = 10.0  # seconds for an answer


async def receiver_checks(settings: Settings, policy: Policy) -> list[Check]:
    """The checks of all receivers, and of the settings that nobody knows.

    Args:
        settings: of the receivers.
        policy: whose routes name receivers.
    """
    on = [(name, one) for name, one in settings.receivers() if one.on]
    async with httpx.AsyncClient(timeout=_PATIENCE) as http:
        checks = list(await asyncio.gather(*(_tried(name, one, http) for name, one in on)))
    return [*checks, *_not_told(settings, policy)]


async def _tried(name: str, receiver: ReceiverSettings, http: httpx.AsyncClient) -> Check:
    what = f"receiver {name}"
    said = await receiver.tried(http)
    if said is None:
        return Check(
            what, "ok", "its settings are well formed; whether they are right, only a message would tell"
        )
    if isinstance(said, str):
        return Check(what, "ok", said)
    variables = " and ".join(f"{PREFIX}{name.partition(':')[0]}__{one}".upper() for one in receiver.needed)
    if isinstance(said, Retry):
        return Check(
            what,
            "failed",
            f"{receiver.title} does not answer as it should: {said.why}",
            "see whether this machine reaches it (DNS, proxy, firewall), and its status page",
        )
    return Check(what, "failed", f"{receiver.title} refuses: {said.why}", f"correct {variables}")


def _not_told(settings: Settings, policy: Policy) -> Iterator[Check]:
    """Yield what is off or incomplete; that a receiver is off is a choice, unless nobody at all is told."""
    off = [name for name, one in settings.receivers() if not one.on]
    if not settings.sinks():
        yield Check(
            "receivers", "failed", "none is set up: nobody is told of an outage", "see README, Settings"
        )
    elif off:
        yield Check("receivers", "ok", f"off: {', '.join(off)}")
    for sentence in settings.sinks_off():
        if " is off: " not in sentence:
            yield Check("receivers", "warning", sentence)
    for sentence in unheard(policy, settings.sinks()):
        yield Check("receivers", "warning", sentence, "mend the routes of the policy, or set it up")
    for sentence in settings.doubts:
        yield Check("settings", "warning", sentence, "correct the variable, or remove it")
