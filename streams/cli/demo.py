"""How do `watchofficer demo` and `exercise` run a scenario on this machine, show it, and remove all their files?

A demo that is killed (SIGKILL) leaves its temporary folder; its processes end by themselves.
"""

from __future__ import annotations

import asyncio
import difflib
import gc
import logging
import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import structlog
import uvloop

from detectors.errors import WatchofficerError
from detectors.instants import format_duration
from detectors.policy.policy import Policy
from streams.demo.assertions import Assertion
from streams.demo.deployment import Deployment, Exercise, PortTaken, pick_port
from streams.demo.people.exercise import NotARoute, exercise_policy, exercise_report, exercise_settings
from streams.demo.people.story import STORIES, Story, conducted, episodes_told, reports
from streams.demo.recording import Recording
from streams.demo.runner import Failed, Runner
from streams.demo.screen import screen_for
from streams.kafka.embedded_broker import BrokerUnavailable
from streams.reports.rendering.markdown import markdown
from streams.runtime.logs import configure_logs
from streams.settings.policy_file import default_policy
from streams.settings.settings import SettingsError
from streams.simulate.scenarios import SCENARIOS

__all__ = ["demo_command", "exercise_command"]

log = structlog.get_logger(__name__)

_LIST = "list"
#: Multiples of real time at which an exercise is played; a live one only until its outage is about to begin.
_DRY_SPEED, _LIVE_SPEED = 60.0, 10.0
#: Seconds from a signal to the end of the process, by force if need be.
_STOP_SECONDS = 4.0
_LOG_TAIL = 12  # lines
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Fault(WatchofficerError):
    """The arguments cannot be used. The message is one line."""


@dataclass(frozen=True)
class _Play:
    """How a deployment is played.

    Attributes:
        once: whether it ends by itself.
        story: what people do in it.
        exercise: the name of the scenario of an exercise, which is scored.
        live: whether people answer it.
    """

    once: bool
    story: Story | None = None
    exercise: str | None = None
    live: bool = False


@dataclass(frozen=True)
class _Outcome:
    """The exit status, and whether the logs are kept."""

    status: int
    keep_logs: bool = False


def demo_command(
    *,
    scenario: str,
    speed: float,
    port: int | None,
    once: bool,
    seed: int,
    events: tuple[str, ...] = (),
    mapping: str | None = None,
) -> int:
    """Run the demo; returns the exit status. With ``events``, files, they are played instead of a scenario.

    0: the demo ended, or a signal stopped it. 1: an assertion about the scenario failed (or a signal stopped
    ``once`` before all held), or the deployment failed. 2: the arguments cannot be used.
    """
    if scenario == _LIST:
        for one in SCENARIOS.values():
            print(f"{one.name:<22}{format_duration(one.duration):>6}  {one.world.name:<6}{one.description}")
        for name, told in STORIES.items():
            of = SCENARIOS[told.scenario]
            print(f"{name:<22}{format_duration(of.duration):>6}  {of.world.name:<6}{told.description}")
        return 0
    try:
        _check(scenario, speed, port, seed)
        plays = _recording(events, mapping, speed) if events or mapping else scenario
    except (_Fault, PortTaken) as fault:
        print(fault, file=sys.stderr)
        return 2
    story = None if events else STORIES.get(scenario)
    plays = plays if story is None else story.scenario
    play = _Play(once or story is not None, story)
    return _played(play, lambda folder: Deployment(plays, seed, speed, default_policy(), port, folder))


def exercise_command(
    *, scenario: str, speed: float | None, port: int | None, seed: int, live: bool, policy: Policy
) -> int:
    """Play an exercise, print how it was answered, and return the exit status.

    0: every answer was as the process asks. 1: one was not, or the deployment failed. 2: the arguments or settings
    cannot be used.

    Args:
        scenario: a name of ``SCENARIOS``.
        speed: multiple of real time; None for what suits.
        port: the port of HTTP; None for a free one.
        seed: of the events.
        live: people answer in real time, also where no receiver of the exercise is set.
        policy: of the watch; an exercise marks it as its own.
    """
    try:
        settings = exercise_settings()
        live = live or bool(settings.sinks())
        pace = speed if speed is not None else _LIVE_SPEED if live else _DRY_SPEED
        if scenario not in SCENARIOS:
            near = difflib.get_close_matches(scenario, SCENARIOS, n=1)
            hint = f"did you mean {near[0]}?" if near else "watchofficer demo --scenario list shows all"
            raise _Fault(f"no scenario {scenario!r}; {hint}")
        _check(scenario, pace, port, seed)
    except (_Fault, PortTaken, NotARoute, SettingsError) as fault:
        print(fault, file=sys.stderr)
        return 2
    story = None if live else conducted(scenario)
    of = Exercise(settings, live)
    own = exercise_policy(policy)
    return _played(
        _Play(once=True, story=story, exercise=scenario, live=live),
        lambda folder: Deployment(scenario, seed, pace, own, port, folder, exercise=of),
    )


def _played(play: _Play, make: Callable[[Path], Deployment]) -> int:
    """Play a deployment that is made for a folder; return the exit status."""
    # Sandbox receivers are on this machine: no proxy must be used for them.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    folder = Path(tempfile.mkdtemp(prefix="watchofficer-demo-"))
    outcome = _Outcome(1)
    try:
        with _logs_in(folder / "demo.log"):
            outcome = uvloop.run(_run(make(folder), play, folder))
        if outcome.keep_logs:
            _print_logs(folder)
    finally:
        if not outcome.keep_logs:
            shutil.rmtree(folder, ignore_errors=True)
        gc.freeze()  # saves a last garbage collection over all objects at exit
    return outcome.status


def _check(scenario: str, speed: float, port: int | None, seed: int) -> None:
    """Check the arguments before anything starts.

    Raises:
        _Fault, PortTaken: an argument cannot be used; the message is one line.
    """
    if scenario not in SCENARIOS and scenario not in STORIES:
        near = difflib.get_close_matches(scenario, [*SCENARIOS, *STORIES], n=1)
        hint = f"did you mean {near[0]}?" if near else "--scenario list shows all"
        raise _Fault(f"no scenario {scenario!r}; {hint}")
    if not (math.isfinite(speed) and speed > 1):
        raise _Fault(
            f"--speed {speed:g}: must be a number above 1, or the demo never catches up with real time"
        )
    if port is not None and not 1 <= port <= 65_535:
        raise _Fault(f"--port {port}: must be from 1 to 65535")
    if seed < 0:
        raise _Fault(f"--seed {seed}: must not be below 0")
    pick_port(port)


def _recording(events: tuple[str, ...], mapping: str | None, speed: float) -> Recording:
    """Read what is to be played, by a mapping if there is one.

    Raises:
        _Fault, PolicyError, SettingsError, SourceError: it cannot be used; each says why.
    """
    from streams.cli.inputs.mapping import inputs_of
    from streams.replay.entries import Begin, Mark
    from streams.replay.sources import partitions

    if not events:
        raise _Fault("--mapping is for records of your own: name their files with --events")
    entries = chain.from_iterable(partitions(events, inputs=inputs_of((mapping,) if mapping else ())))
    values = (entry[1] for entry in entries if not isinstance(entry, Mark | Begin))
    recording = Recording(" ".join(events), values, speed)
    if recording.left_out:
        print(f"{recording.left_out:,} records are no valid events, and are left out", file=sys.stderr)
    return recording


@contextmanager
def _logs_in(file: Path) -> Iterator[None]:
    """Send all logs to a file, so that they do not disturb the screen."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    with file.open("w", encoding="utf-8", errors="backslashreplace", buffering=1) as stream:
        configure_logs("console", stream=stream)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
            sys.excepthook = hook


def _print_logs(folder: Path) -> None:
    file = folder / "demo.log"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"the last of {len(lines)} lines of {file}:", file=sys.stderr)
    for line in lines[-_LOG_TAIL:]:
        print(f"  {line}", file=sys.stderr)


async def _run(deployment: Deployment, play: _Play, folder: Path) -> _Outcome:
    loop = asyncio.get_running_loop()
    body = asyncio.create_task(_run_deployment(deployment, play), name="demo")
    signals, once = 0, play.once

    def end_at_once() -> None:
        # Some awaits of the start cannot be cancelled, so the process exits here.
        deployment.kill()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1 if once else 0)

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            end_at_once()
        body.cancel()
        loop.call_later(_STOP_SECONDS, end_at_once)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        return await body
    except asyncio.CancelledError:
        if not signals:
            raise
        print("stopped" if not once else "stopped before it was over", file=sys.stderr)
        return _Outcome(1 if once else 0)


async def _run_deployment(deployment: Deployment, play: _Play) -> _Outcome:
    screen = screen_for(sys.stdout)
    print("starting the broker, the receivers and the pipeline ...", flush=True)
    kept: list[Assertion] = []
    try:
        async with deployment:
            try:
                kept = await Runner(deployment, screen, play.once, play.story, live=play.live).run()
            except asyncio.CancelledError:
                if play.exercise is None:
                    raise  # of an exercise that people end, what was done is scored
            finally:
                screen.close()
            if play.exercise is not None:
                return await _score(deployment, play.exercise)
            if play.story is not None:
                told = await reports(
                    deployment.clients, deployment.topics.incident_log, deployment.policy, deployment.clock()
                )
                print(*(f"\n{markdown(report)}" for report in told))
    except (BrokerUnavailable, PortTaken) as error:
        print(error, file=sys.stderr)
        return _Outcome(2)
    except BrokenPipeError:
        raise
    except Exception as error:
        log.error("demo_failed", exc_info=error)
        print(f"the demo failed: {error if isinstance(error, Failed) else repr(error)}", file=sys.stderr)
        return _Outcome(1, keep_logs=True)
    if deployment.recording is not None:
        return _pages(deployment)
    return _result(kept)


def _pages(deployment: Deployment) -> _Outcome:
    """Print how often a recording has woken somebody."""
    woken = deployment.sandbox.pagerduty.woken
    print(f"\n{len(woken)} page{'' if len(woken) == 1 else 's'} in the sandbox", flush=True)
    return _Outcome(0)


async def _score(deployment: Deployment, scenario: str) -> _Outcome:
    """Print how an exercise was answered."""
    _, episodes = await episodes_told(deployment.clients, deployment.topics.incident_log)
    report = exercise_report(scenario, episodes, deployment.policy, now=deployment.clock())
    print(f"\n{markdown(report)}", flush=True)
    return _Outcome(0 if report.data["asked"] and report.data["kept"] == report.data["asked"] else 1)


def _result(kept: Sequence[Assertion]) -> _Outcome:
    """Print the result of every assertion."""
    broken = [promise for promise in kept if promise.broken is not None]
    print(f"\n{len(kept) - len(broken)} of {len(kept)} promises of the scenario came true:")
    for promise in kept:
        print(f"  {'did not' if promise.broken is not None else 'came true'}  {promise.what}", flush=True)
    for promise in broken:
        print(f"did not happen: {promise.what}: {promise.broken}", file=sys.stderr)
    return _Outcome(1 if broken else 0, keep_logs=bool(broken))
