"""`watchofficer demo` as a function: what cannot be run as asked, and what is said and kept when it fails."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import structlog

from streams.cli import demo as command
from streams.cli.demo import demo_command
from streams.demo.assertions import Assertion
from streams.demo.deployment import PortTaken
from streams.demo.people.story import STORIES
from streams.demo.runner import Failed
from streams.kafka.embedded_broker import BrokerUnavailable
from streams.simulate.scenarios import SCENARIOS


def demo(**asked: Any) -> int:
    arguments = {"scenario": "ssoe_outage", "speed": 60.0, "port": None, "once": True, "seed": 1}
    return demo_command(**{**arguments, **asked})


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    return tmp_path


@pytest.fixture(autouse=True)
def _structlog() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"scenario": "ssoe_outag"}, "no scenario 'ssoe_outag'; did you mean ssoe_outage?"),
        ({"scenario": "zzz"}, "no scenario 'zzz'; --scenario list shows all"),
        ({"speed": 1.0}, "--speed 1: must be a number above 1"),
        ({"speed": 0.0}, "--speed 0: must be a number above 1"),
        ({"speed": -60.0}, "--speed -60: must be a number above 1"),
        ({"speed": float("nan")}, "--speed nan: must be a number above 1"),
        ({"speed": float("inf")}, "--speed inf: must be a number above 1"),
        ({"port": 0}, "--port 0: must be from 1 to 65535"),
        ({"port": 65_536}, "--port 65536: must be from 1 to 65535"),
        ({"seed": -1}, "--seed -1: must not be below 0"),
        ({"mapping": "keycloak"}, "--mapping is for records of your own: name their files with --events"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_status_2(
    asked: dict[str, Any], said: str, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(**asked) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert list(temporary.iterdir()) == []


def test_a_port_that_somebody_listens_on_is_one_line_and_status_2(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert demo(port=port) == 2
    shown = capsys.readouterr()
    assert shown.err == f"port {port}: Address already in use; choose another with --port\n"
    assert shown.out == ""


def test_it_lists_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(scenario="list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*SCENARIOS, *STORIES]


# -- with a deployment that only pretends ---------------------------------------------------------------------------


class Pretence:
    """A deployment that starts nothing, but writes into its folder as one does."""

    fails: BaseException | None = None
    killed = False
    recording = None

    def __init__(self, *arguments: Any) -> None:
        self.folder: Path = arguments[-1]

    async def __aenter__(self) -> Pretence:
        (self.folder / "broker.log").write_text("started\n")
        logging.getLogger("faust").warning("the broker says something")
        if self.fails is not None:
            raise self.fails
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)

    def kill(self) -> None:
        self.killed = True


class Verdict:
    """A performance that is over at once."""

    kept: tuple[Assertion, ...] = ()
    fails: BaseException | None = None

    def __init__(self, *_: object, **__: object) -> None: ...

    async def run(self) -> tuple[Assertion, ...]:
        if self.fails is not None:
            raise self.fails
        return self.kept


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch) -> tuple[type[Pretence], type[Verdict]]:
    class Deployment(Pretence): ...

    class Runner(Verdict): ...

    monkeypatch.setattr(command, "Deployment", Deployment)
    monkeypatch.setattr(command, "Runner", Runner)
    return Deployment, Runner


Pretended = tuple[type[Pretence], type[Verdict]]


def test_promises_that_came_true_leave_nothing_behind(
    pretence: Pretended, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretence[1].kept = (Assertion("somebody is woken"), Assertion("nobody is bothered"))
    handlers = logging.getLogger().handlers[:]
    assert demo() == 0
    shown = capsys.readouterr()
    assert "2 of 2 promises of the scenario came true" in shown.out
    assert "the broker says something" not in shown.out + shown.err
    assert shown.err == ""
    assert list(temporary.iterdir()) == []
    assert logging.getLogger().handlers == handlers


def test_each_promise_that_did_not_come_true_is_named_and_the_logs_are_kept(
    pretence: Pretended, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretence[1].kept = (
        Assertion("somebody is woken", "nobody was woken"),
        Assertion("all is resolved"),
        Assertion("the banner goes up", "the topic says ok"),
    )
    assert demo() == 1
    shown = capsys.readouterr()
    assert "1 of 3 promises of the scenario came true" in shown.out
    assert "did not happen: somebody is woken: nobody was woken\n" in shown.err
    assert "did not happen: the banner goes up: the topic says ok\n" in shown.err
    assert "all is resolved" not in shown.err
    (folder,) = temporary.iterdir()
    assert f"{folder}/demo.log:" in shown.err
    assert "the broker says something" in shown.err
    assert {file.name for file in folder.iterdir()} == {"demo.log", "broker.log"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BrokerUnavailable("the embedded broker is not installed"), "the embedded broker is not installed"),
        (PortTaken("port 80: Permission denied"), "port 80: Permission denied"),
    ],
)
def test_what_cannot_be_started_is_one_line_and_status_2(
    pretence: Pretended,
    error: Exception,
    said: str,
    temporary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pretence[0].fails = error
    assert demo() == 2
    assert capsys.readouterr().err == f"{said}\n"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("where", [0, 1])
def test_a_failure_is_said_and_the_logs_with_its_cause_are_kept(
    pretence: Pretended, where: int, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretence[where].fails = Failed("the pipeline cannot go on: KafkaError()")
    assert demo() == 1
    shown = capsys.readouterr()
    assert "the demo failed: the pipeline cannot go on: KafkaError()\n" in shown.err
    (folder,) = temporary.iterdir()
    assert "the pipeline cannot go on" in (folder / "demo.log").read_text()


class Stubborn(Pretence):
    """A deployment that does not stop."""

    made: ClassVar[list[Stubborn]] = []

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.freed = asyncio.Event()
        self.made.append(self)

    async def __aexit__(self, *_: object) -> None:
        await self.freed.wait()


class Endless(Verdict):
    """A performance that asks for a signal, or several, and goes on."""

    signals = 1

    async def run(self) -> tuple[Assertion, ...]:
        for _ in range(self.signals):
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize(("signals", "patience"), [(1, 0.05), (2, 3600.0)])
def test_what_does_not_stop_is_ended_after_a_while_or_at_the_second_signal(
    signals: int, patience: float, once: bool, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits: list[int] = []

    def exit_at_once(status: int) -> None:
        exits.append(status)
        assert list(temporary.iterdir()) == []
        Stubborn.made[-1].freed.set()

    monkeypatch.setattr(command, "Deployment", Stubborn)
    monkeypatch.setattr(command, "Runner", Endless)
    monkeypatch.setattr(command, "_STOP_SECONDS", patience)
    monkeypatch.setattr(Endless, "signals", signals)
    monkeypatch.setattr("os._exit", exit_at_once)
    demo(once=once)
    assert exits == [1 if once else 0]
    assert Stubborn.made[-1].killed


def test_a_signal_stops_it_and_that_is_no_failure(
    pretence: Pretended,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "Runner", Endless)
    assert demo(once=False) == 0
    assert capsys.readouterr().err == "stopped\n"
    assert demo(once=True) == 1
    assert capsys.readouterr().err == "stopped before it was over\n"
    assert list(temporary.iterdir()) == []


def test_a_reader_that_has_gone_is_no_failure(pretence: Pretended, temporary: Path) -> None:
    pretence[1].fails = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        demo()
    assert list(temporary.iterdir()) == []
