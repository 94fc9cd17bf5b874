"""What does the command line load before it knows which command runs?"""

import os
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streams.cli.main import main

SHOWN = """
import os, sys
import streams.cli.main
print(os.environ["OPENBLAS_NUM_THREADS"], *sorted({"numpy", "msgspec", "aiokafka"} & set(sys.modules)))
"""


def shown(**env: str) -> str:
    without = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], env=without | env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_help_loads_neither_numpy_nor_kafka_and_numpy_will_run_on_one_thread() -> None:
    assert shown() == "1"


def test_a_number_of_threads_that_the_user_has_set_is_kept() -> None:
    assert shown(OPENBLAS_NUM_THREADS="4") == "4"


def test_a_hangup_while_it_starts_ends_neither_a_worker_nor_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHOFFICER_BROKER", raising=False)
    before = signal.getsignal(signal.SIGHUP)
    try:
        assert CliRunner().invoke(main, ["run", "--role", "guard"]).exit_code == 2
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("command", ["run", "run --role guard", "demo", "exercise ssoe_outage"])
def test_a_port_that_is_none_is_refused(command: str) -> None:
    found = CliRunner().invoke(main, [*command.split(), "--port", "99999"])
    assert found.exit_code == 2
    assert "99999 is not in the range 0<=x<=65535" in found.stderr


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address at which nothing listens, which the settings name as broker and worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("WATCHOFFICER_BROKER", f"127.0.0.1:{port}")
    monkeypatch.setenv("WATCHOFFICER_PORT", str(port))
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("replay topic:login-events", "start the broker, or correct WATCHOFFICER_BROKER"),
        ("explain prod-1", "start the broker, or correct WATCHOFFICER_BROKER"),
        ("report sla", "start the broker, or correct WATCHOFFICER_BROKER"),
        ("dead-letters list", "start the broker, or correct WATCHOFFICER_BROKER"),
        ("ack prod-1", "start one with `watchofficer run`, or say where it is with --url"),
        ("mute list", "start one with `watchofficer run`, or say where it is with --url"),
        ("replay nowhere.jsonl", "name a file that can be read, or - for standard input"),
    ],
)
def test_where_nobody_answers_one_line_says_what_to_do(nobody: str, command: str, remedy: str) -> None:
    found = CliRunner().invoke(main, command.split())
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert remedy in line
    assert nobody in line or "nowhere" in line
