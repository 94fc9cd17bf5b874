"""`watchofficer demo` as processes: a scenario to its end, signals, and that nothing stays behind."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams.demo.people.story import STORIES
from streams.demo.timeline import HEADER
from streams.simulate.scenarios import SCENARIOS

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
_POLL_SECONDS = 0.02
_MARK = "WATCHOFFICER_TEST_MARK"
#: The demo itself, its broker, and who ends the broker should the demo be killed; none where the system shows none.
_PROCESSES = 3 if Path("/proc/self/environ").exists() else 0
_LINE = re.compile(
    r"(\d\d:\d\d:\d\d)  \d\d:\d\d:\d\d\.\d  +\+(\d+\.\d) s  "
    r"(watch|pagerduty|datadog|slack|banner|scenario) +(\S.*)"
)


class Demo:
    """A demo in a house of its own: everything it could leave behind is under ``home`` or bears its mark."""

    def __init__(self, house: Path, *arguments: str, terminal: bool = False) -> None:
        self.house = house
        self.mark = uuid.uuid4().hex
        for room in ("home", "tmp", "cwd"):
            (house / room).mkdir(parents=True)
        environment = {name: of for name, of in os.environ.items() if not name.startswith("WATCHOFFICER_")}
        environment |= {
            _MARK: self.mark,
            "HOME": str(house / "home"),
            "TMPDIR": str(house / "tmp"),
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LINES": "40",
            "PYTHONPATH": str(ROOT),
            # A proxy that answers nobody, and credentials of the real receivers: neither may be used.
            "HTTP_PROXY": "http://127.0.0.1:9",
            "WATCHOFFICER_BROKER": "127.0.0.1:9",
            "WATCHOFFICER_TOPIC_PREFIX": "real.",
        }
        output: int = subprocess.PIPE
        terminal_side: int | None = None
        if terminal:
            terminal_side, output = pty.openpty()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "demo", *arguments],
            cwd=house / "cwd",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        if terminal_side is None:
            assert self.process.stdout is not None
            terminal_side = os.dup(self.process.stdout.fileno())
            self.process.stdout.close()
        else:
            os.close(output)
        self._from = terminal_side
        self.said = ""
        # A terminal, or a pipe, that nobody reads would hold it up.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                part = os.read(self._from, 65_536)
            except OSError:  # the other side of the terminal is closed
                return
            if not part:
                return
            self.said += decoder.decode(part).replace("\r\n", "\n")

    def read(self, until: str, within: float) -> str:
        """Wait until the output matches ``until`` (a regular expression), and return the output."""
        deadline = time.monotonic() + within
        while not re.search(until, self.said):
            ended = self.process.poll() is not None
            assert not ended, f"it ended without: {until}\n{self.said[-5000:]}"
            assert time.monotonic() < deadline, f"not within {within} s: {until}\n{self.said[-5000:]}"
            time.sleep(_POLL_SECONDS)
        return self.said

    def end(self, within: float) -> tuple[int, str]:
        """Its exit status and all it has said, once it has ended."""
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within} s\n{self.said[-5000:]}") from None
        self._reader.join(within)
        return status, self.said

    def left(self) -> list[str]:
        """Processes and files that are left behind."""
        files = [
            str(file) for file in self.house.rglob("*") if not file.is_dir() or file.parent != self.house
        ]
        return [*files, *self.processes().values()]

    def processes(self) -> dict[int, str]:
        """The processes that bear its mark, with their command lines, where the system lets us see them."""
        found = {}
        wanted = f"{_MARK}={self.mark}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = command
            except OSError:
                continue
        return found

    def without_processes(self, within: float) -> None:
        """Wait until no process bears its mark."""
        deadline = time.monotonic() + within
        while left := self.processes():
            assert time.monotonic() < deadline, f"still there after {within} s: {left}"
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """End whatever a failed test has left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self._reader.join()
        with suppress(OSError):
            os.close(self._from)


House = Callable[..., Demo]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Starts demos, each in a house of its own, and ends them."""
    made: list[Demo] = []

    def start(*arguments: str, terminal: bool = False) -> Demo:
        made.append(Demo(tmp_path / f"demo{len(made)}", *arguments, terminal=terminal))
        return made[-1]

    yield start
    for demo in made:
        demo.kill()


def seen(said: str) -> list[tuple[float, str, str]]:
    """(seconds since the start, who, what) of each line of the timeline."""
    return [(float(m[2]), m[3], m[4]) for line in said.splitlines() if (m := _LINE.fullmatch(line))]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_outage_is_told_to_its_end_and_kept_all_its_promises(house: House) -> None:
    demo = house("--once", "--speed", "60")
    url = re.search(r"metrics +(http\S+)", demo.read(r"metrics +http\S+/metrics\n", 60))
    assert url is not None
    assert "watchofficer_build_info" in httpx.get(url[1], trust_env=False, verify=False).text
    status, said = demo.end(within=200)
    assert (status, "did not" in said) == (0, False), said
    assert re.search(r"(\d+) of \1 promises of the scenario came true", said)
    assert demo.left() == []

    body = said.partition(HEADER + "\n")[2].partition("\n\n")[0]
    story = seen(body)
    assert len(story) == len(body.splitlines()), body  # and nothing else: no log line, no warning
    milestones = [
        ("scenario", "SSOe sign-in begins to fail"),
        ("watch", "detected: prod-1 on prod/ssoe"),
        ("slack", "root message posted"),
        ("pagerduty", "paged ("),
        ("datadog", "event opened"),
        ("datadog", "incident declared"),
        ("watch", "prod-1 acknowledged by PagerDuty: Ada Byron, by a signed webhook"),
        ("scenario", "that is over: SSOe sign-in"),
        ("watch", "prod-1 recovering"),
        ("watch", "prod-1 resolved"),
    ]

    def when(who: str, what: str) -> float:
        return next(at for at, by, said in story if by == who and said.startswith(what))

    times = [when(*milestone) for milestone in milestones]
    assert times[0] < times[1] <= min(times[2:7])
    assert max(times[2:7]) < times[8] < times[9]
    assert when("pagerduty", "watchofficer:prod-1:0 resolved") >= times[9]
    assert when("datadog", "incident resolved") >= times[9]
    assert when("slack", "reply in the thread: resolved") >= times[9]
    assert any("critical; prod/sis stays ok" in what for _, who, what in story if who == "banner")
    # A provider's own banner may have come down before, when the outage turned out to be the method's.
    assert [at for at, who, what in story if (who, what) == ("banner", "down for prod/ssoe")][-1] > times[3]
    assert [what for _, who, what in story if who == "pagerduty" and what.startswith("paged")][1:] == []


@pytest.mark.long
def test_a_log_of_ones_own_is_played_to_the_page(house: House, tmp_path: Path) -> None:
    log = tmp_path / "production.log"
    with log.open("w") as file:
        for second in range(360):
            for csp in ("idme", "logingov"):
                fails = csp == "idme" and second >= 120
                line: dict[str, Any] = {
                    "timestamp": f"2026-03-01T12:{second // 60:02d}:{second % 60:02d}.000Z"
                }
                line |= {"request_id": f"{csp}{second}", "payload": {"type": csp, "icn": f"{csp}{second}"}}
                line["message"] = f"[SignInService] [V0::SignInController] callback{' error' * fails}"
                print(json.dumps(line), file=file)
    demo = house("--once", "--speed", "120", "--events", str(log), "--mapping", "vets-api-sis")
    status, said = demo.end(110.0)
    assert status == 0, said
    assert "1 page in the sandbox" in said
    (detected,) = [what for _, who, what in seen(said) if who == "watch" and "detected" in what]
    assert "idme" in detected


@pytest.mark.long
@pytest.mark.timeout(180)
def test_two_at_once_keep_out_of_each_others_way_and_a_signal_ends_each(house: House) -> None:
    one = house(terminal=True)
    other = house("--once", "--speed", "120")
    for demo in (one, other):
        demo.read("detected: prod-1 on prod/ssoe", 90)
    assert len(one.processes()) == len(other.processes()) == _PROCESSES
    # The timeline is told by the log of incidents, the lines above it by HTTP: the picture after may be the first.
    one.read("SEV [123]  SSOe sign-in is failing", 30)
    one.read("people hurt, 1 h", 30)
    for demo, number, status in ((one, signal.SIGINT, 0), (other, signal.SIGTERM, 1)):
        asked = time.monotonic()
        demo.process.send_signal(number)
        assert demo.end(within=5)[0] == status
        assert time.monotonic() - asked < 5
        assert demo.left() == []
    # The picture has given way to the timeline, and the cursor is back.
    _, _, left = one.said.rpartition("\x1b[?25h")
    assert "detected: prod-1 on prod/ssoe" in left
    assert left.rstrip().endswith("stopped")
    assert other.said.rstrip().endswith("stopped before it was over")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("after", [0.0, 1.0, 4.0])
def test_a_signal_while_it_starts_ends_it_too(house: House, after: float) -> None:
    demo = house("--scenario", "healthy")
    demo.read("starting", 60)
    time.sleep(after)
    asked = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    assert demo.end(within=5)[0] == 0
    assert time.monotonic() - asked < 5
    assert demo.left() == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("once_it_says", ["starting the broker", r"metrics +http\S+/metrics\n"])
def test_what_it_started_ends_by_itself_when_it_is_killed(house: House, once_it_says: str) -> None:
    demo = house("--scenario", "healthy")
    demo.read(once_it_says, 60)
    demo.process.kill()
    assert demo.end(within=5)[0] == -signal.SIGKILL
    demo.without_processes(within=5)


def test_a_reader_that_goes_away_ends_it(tmp_path: Path) -> None:
    command = f"{sys.executable} -m streams.cli demo --scenario healthy | head -1"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert list(tmp_path.iterdir()) == []


def test_every_scenario_can_be_asked_for() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "streams.cli", "demo", "--scenario", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [*SCENARIOS, *STORIES]
