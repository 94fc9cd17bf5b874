"""Does an upgrade under load change a verdict, or wake anybody twice? Two workers are replaced, one by one.

``python -m tests.upgrade.rolling --before COMMIT`` checks an older build out, runs two workers of it on the embedded
broker through the beginning of an outage, puts a worker of this build in the place of each, one after the other, amid
the incident, and lets the outage end. Then it compares: pages with one, incidents with one, and the changes that were
logged live, by whichever build, with a replay of the topic by this build.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import SLI_EVERY, Deployment, deployed, login, now
from tests.e2e.harness.judged_again import judged_again
from tests.e2e.harness.worker import Worker
from tests.support.processes import ROOT
from tests.upgrade.build import checked_out

_EVERY = 0.1  # seconds between two batches
_BATCH = 5


class _Traffic:
    """Sign-ins, of which those by one method fail while ``failing`` is true."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.failing = False
        self.sent = 0

    async def run(self) -> None:
        """Send events until cancelled."""
        while True:
            await self._deployment.produce([self._event() for _ in range(_BATCH)])
            await asyncio.sleep(_EVERY)

    def _event(self) -> bytes:
        self.sent += 1
        method = "ssoe" if self.sent % 2 else "sis"
        fields = {"outcome": "failure", "error_code": "007"} if self.failing and method == "ssoe" else {}
        return login(f"e{self.sent}", user_hash=f"u{self.sent}", auth_method=method, at=now(), **fields)


async def _roll(deployment: Deployment, before: Path, patience: float) -> None:
    folder = deployment.folder
    policy = ("--policy", str(folder / "policy.yaml"))
    workers = [
        Worker(deployment.settings, folder / f"{name}.log", *policy, folder=where)
        for name, where in (("old-1", before), ("old-2", before), ("new-1", ROOT), ("new-2", ROOT))
    ]
    traffic = _Traffic(deployment)
    sending: asyncio.Task[None] | None = None
    try:
        for old in workers[:2]:
            old.start()
            await old.ready(patience)
        sending = asyncio.create_task(traffic.run())
        await asyncio.sleep(20)
        traffic.failing = True
        deployment.worker = workers[0]
        await deployment.incident_in("prod-1", {"open"}, patience)
        for old, new in ((workers[0], workers[2]), (workers[1], workers[3])):
            status, _ = await old.stop(patience)
            print(f"a worker of the older build ended with {status}; one of this build starts", flush=True)
            new.start()
            await new.ready(patience)
            await asyncio.sleep(15)
        traffic.failing = False
        deployment.worker = workers[3]
        await deployment.incident_in("prod-1", {"resolved", "closed"}, patience)
        await deployment.all_told(patience)
        for new in workers[2:]:
            await new.stop(patience)
    finally:
        if sending is not None:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        for worker in workers:
            worker.kill()


async def _compare(deployment: Deployment, patience: float) -> list[str]:
    """What differs, in words."""
    again = await judged_again(deployment.settings, SLI_EVERY, patience)
    faults = again.faults
    # That the watch is blind is true of a machine on which a worker takes a minute to start.
    woken = [one for one in deployment.sandbox.pagerduty.woken if ":blind:" not in one.dedup_key]
    if len(woken) != 1:
        faults.append(f"somebody was woken {len(woken)} times: {woken}")
    lines = [one.json() for one in await deployment.on("incident-log")]
    incidents = {line["incident"] for line in lines if line.get("incident")}
    if incidents != {"prod-1"}:
        faults.append(f"incidents: {sorted(incidents)}")
    print(
        f"{len(again.turns)} changes of an incident, {again.slis} indicators, {len(woken)} page", flush=True
    )
    return faults


async def _run(before: Path, patience: float) -> list[str]:
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        async with deployed(broker.address, "rolling.", Path(folder)) as deployment:
            await _roll(deployment, before, patience)
            return await _compare(deployment, patience)


def main() -> int:
    """Run it; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", required=True, help="a commit of the older build")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for each step")
    given = parser.parse_args()
    with checked_out(given.before) as before:
        faults = asyncio.run(_run(before, given.patience))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
