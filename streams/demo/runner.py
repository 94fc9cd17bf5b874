"""When does a demo end, and what does it show until then? The loop that observes a deployment and draws the screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from detectors.errors import WatchofficerError
from detectors.instants import SECOND
from detectors.scopes import METHODS
from sinks.wording import ScopeNames, headline, people_words, state_words
from streams.demo.assertions import Assertion, assertions
from streams.demo.deployment import Deployment
from streams.demo.expectations import Expectation, expectations
from streams.demo.layout import Method, ScreenState
from streams.demo.observer import Observer
from streams.demo.people.story import Story, Storyteller
from streams.demo.screen import Screen
from streams.demo.timeline import Timeline
from streams.records.models import decode_incident

__all__ = ["Failed", "Runner"]

_FRAME = 0.25  # seconds
#: Seconds after the scenario in which the remaining assertions may still come true.
_GRACE = 15.0
#: Seconds in which the people of a story may still act, whose acts wait for the evaluation of a busy machine.
_PEOPLE_GRACE = 60.0
#: Seconds without a new line of the timeline after which the demo may end.
_LAST_LINES = 1.0
_SUCCESS_WINDOW, _PEOPLE_WINDOW = "5m", "1h"
_OVER = ("resolved", "closed")


class Failed(WatchofficerError):
    """The demo has failed: the worker, the traffic or the observer. The message is one line."""


class Runner:
    """Shows a running deployment.

    Args:
        deployment: a started deployment.
        screen: the screen to draw on.
        once: whether the demo ends by itself.
        story: what people do in it; None if they but acknowledge.
        live: whether people answer an exercise: it is over once its incident is completed.
    """

    def __init__(
        self,
        deployment: Deployment,
        screen: Screen,
        once: bool,
        story: Story | None = None,
        *,
        live: bool = False,
    ) -> None:
        self._live = live
        self._deployment = deployment
        self._screen = screen
        self._once = once
        self._began = _wall()
        self._timeline = Timeline(deployment.topics, ScopeNames(deployment.policy))
        self._observer = Observer(
            deployment.worker.url,
            deployment.clients,
            deployment.sandbox,
            self._timeline,
            deployment.clock,
            _wall,
        )
        self._people: Storyteller | None = None
        if story is not None:
            worker = deployment.worker
            self._people = Storyteller(story, worker.url, worker.views, deployment.evaluated_to)
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._kept_since: float | None = None
        self._lines_shown = 0
        self._give_up_at: float | None = None
        self._name = "the scenario" if deployment.recording is None else "the recording"
        self._status = f"{self._name} is playing; Ctrl-C stops everything"
        if live:
            self._status = "answer it until it is completed; Ctrl-C ends it, and what was done is scored"

    async def run(self) -> list[Assertion]:
        """Show the deployment until the scenario is over; returns the assertions. Without ``once`` it never ends.

        Raises:
            Failed: the demo cannot continue.
        """
        tasks: list[asyncio.Task[Any]]
        truth = asyncio.create_task(self._deployment.truth(), name="truth")
        tasks = [truth, asyncio.create_task(self._observer.run(), name="observer")]
        if self._people is not None:
            tasks.append(asyncio.create_task(self._people.run(), name="people"))
        try:
            while True:
                self._look_for_failures(*tasks)
                self._add_episodes()
                verdict = self._verdict(truth)
                self._screen.show(self._screen_state())
                if verdict is not None:
                    return verdict
                await asyncio.sleep(_FRAME)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _look_for_failures(self, *tasks: asyncio.Task[Any]) -> None:
        failed = self._deployment.worker.failed
        if failed.done():
            why = failed.result()
            raise Failed(f"the pipeline cannot go on: {why!r}; on a busy machine try --speed 20") from why
        for task in (*tasks, self._deployment.produced):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise Failed(f"{task.get_name()}: {error!r}") from error

    def _add_episodes(self) -> None:
        now = self._deployment.clock()
        for placed in self._deployment.episodes:
            if now >= placed.begin and placed.index not in self._begun:
                self._begun.add(placed.index)
                self._timeline.begin(placed, _wall())
            if now >= placed.end and placed.index not in self._ended:
                self._ended.add(placed.index)
                self._timeline.end(placed, _wall())

    # -- the end ----------------------------------------------------------------------------------------------

    def _verdict(self, truth: asyncio.Task[list[dict[str, Any]]]) -> list[Assertion] | None:
        """The assertions, once their results are final; None before."""
        if self._live:
            processes = [one.get("process") or {} for one in self._deployment.worker.views.incidents()]
            return [] if any(one.get("completed_at") for one in processes) else None
        if not truth.done():
            return None
        causes = expectations(truth.result(), self._deployment.episodes)
        over, played_out = self._over(causes), self._played_out()
        if not over and not played_out:
            return None
        kept = assertions(causes, self._observer.observations(), self._deployment.policy)
        kept += self._people.assertions() if self._people is not None else []
        broken = [promise for promise in kept if promise.broken is not None]
        if not self._once:
            if played_out or not broken:
                goes_on = ", its traffic goes on" if self._deployment.recording is None else ""
                self._status = f"{self._name} is over{goes_on}; Ctrl-C stops everything"
            return None
        now = time.monotonic()
        if not broken:
            # Wait for the last lines of the timeline, which arrive by another way than the observations.
            if self._kept_since is None or self._lines_shown != len(self._timeline.entries):
                self._kept_since, self._lines_shown = now, len(self._timeline.entries)
            return kept if now >= self._kept_since + _LAST_LINES else None
        self._kept_since = None
        if played_out and self._give_up_at is None:
            busy = self._people is not None and not self._people.is_done
            self._give_up_at = now + (_PEOPLE_GRACE if busy else _GRACE)
        return kept if self._give_up_at is not None and now >= self._give_up_at else None

    def _over(self, causes: Sequence[Expectation]) -> bool:
        """Whether all true outages have been evaluated; False if no outage is certain to page."""
        reached = self._deployment.evaluated_to()
        certain = any(cause.page is not None for cause in causes)
        return certain and reached is not None and all(reached > cause.end for cause in causes)

    def _played_out(self) -> bool:
        """Whether the whole scenario has been produced, and evaluated but for the delays of delivery."""
        deployment = self._deployment
        reached, delay = (
            deployment.evaluated_to(),
            round(deployment.policy.watermark_delay * deployment.clock.pace),
        )
        waits = delay + 5 * SECOND * deployment.clock.pace
        return (
            deployment.clock() >= deployment.end and reached is not None and reached >= deployment.end - waits
        )

    # -- what is shown ----------------------------------------------------------------------------------------

    def _screen_state(self) -> ScreenState:
        deployment, views = self._deployment, self._deployment.worker.views
        names = ScopeNames(deployment.policy)
        banners = {banner.key: banner.state for banner in views.banners()}
        standing = [
            decode_incident(msgspec.json.encode(record))
            for record in views.incidents()
            if record["state"] not in _OVER
        ]
        return ScreenState(
            title=f"watchofficer demo: {deployment.scenario.name} at {deployment.clock.pace:g} times real time",
            description=deployment.scenario.description,
            status=self._status,
            now=deployment.clock(),
            judged=deployment.evaluated_to(),
            wall=_wall() - self._began,
            began=self._began,
            methods=[
                Method(
                    name=method,
                    title=names.of("auth_method", method),
                    success=[p.success_ratio for p in views.history(f"prod/{method}", _SUCCESS_WINDOW)],
                    people=[p.users_impacted for p in views.history(f"prod/{method}", _PEOPLE_WINDOW)],
                    banner=banners.get(f"prod/{method}", "ok"),
                )
                for method in METHODS
            ],
            incidents=[
                (
                    incident.severity,
                    headline(incident, names),
                    f"{incident.id}, {state_words(incident)}, {people_words(incident)}",
                )
                for incident in standing
            ],
            entries=self._timeline.entries,
            places=self._places(),
        )

    def _places(self) -> dict[str, str]:
        url, sandbox = self._deployment.worker.url, self._deployment.sandbox
        answer = {"answer": f"watchofficer ack prod-1 --url {url}"} if self._live else {}
        return {
            **answer,
            "console": f"{url}/",
            "metrics": f"{url}/metrics",
            "API": f"{url}/api/v1/incidents",
            "PagerDuty": f"{sandbox.pagerduty.url}/",
            "Datadog": f"{sandbox.datadog.url}/",
            "Slack": f"{sandbox.slack.url}/",
        }


def _wall() -> int:
    return time.time_ns() // 1_000_000
