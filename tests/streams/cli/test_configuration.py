"""The first lines of a process: five, that say what runs, from where, to whom, and what is off."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import structlog

from detectors.policy.policy import Policy
from streams.cli.configuration import announce, configured
from streams.settings.settings import Settings

_SETTINGS = {"WATCHOFFICER_BROKER": "kafka-1:9092,kafka-2:9092", "WATCHOFFICER_SLACK__TOKEN": "xoxb-secret"}


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook = hook
    structlog.reset_defaults()


def told(settings: Settings, policy: Policy) -> None:
    announce(
        settings, policy, roles=("sinks", "ingest"), reads=("a", "b"), serves="http://here", policy_file=None
    )


def test_five_lines_say_what_runs_and_what_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    settings, policy, _ = configured(_SETTINGS | {"WATCHOFFICER_SLACK__CHANNEL": "C1"}, None)
    told(settings, policy)
    said = capsys.readouterr().err
    assert said.splitlines() == [
        f"runs    ingest, sinks of watchofficer {version('watchofficer')}, policy as shipped ({policy.hash})",
        "reads   a, b of kafka-1:9092, kafka-2:9092",
        "serves  http://here",
        "tells   Slack",
        "off     PagerDuty, Datadog, Webhook, E-mail, Microsoft Teams, Statuspage, Alertmanager"
        " (watchofficer doctor says what each lacks)",
    ]
    assert "xoxb-secret" not in said


def test_a_log_in_json_has_one_line_with_the_variables_that_are_not_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(*configured(_SETTINGS | {"WATCHOFFICER_LOG_FORMAT": "json"}, None)[:2])
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["tells"]) == ("starting", "nobody: no receiver is set")
    assert "Slack is off: WATCHOFFICER_SLACK__CHANNEL is not set" in line["off"]


@pytest.mark.parametrize("verbose", [False, True])
def test_libraries_say_how_they_start_only_when_asked(
    capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    configured(_SETTINGS, None, verbose=verbose)
    for library in ("faust.worker", "aiokafka.consumer", "mode"):
        logging.getLogger(library).info("begins")
        logging.getLogger(library).warning("is late")
    said = capsys.readouterr().err
    assert (said.count("begins"), said.count("is late")) == (3 * verbose, 3)
