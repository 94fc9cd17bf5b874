"""An incident to be explained: a provider fails from 5m to 8m, somebody takes it on, it recovers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from detectors.incidents import IncidentInput
from detectors.instants import MINUTE, SECOND, parse_instant
from streams.explain.case_file import CaseFile
from streams.explain.from_replay import replayed
from streams.policy_tests.events import lines_of
from streams.policy_tests.notation import parse_series
from streams.replay.entries import Entry
from streams.settings.policy_file import default_policy

START = parse_instant("2026-11-23T15:00:00Z")
SERIES = (
    "prod/ssoe/idme sign_in success 2/s x 5m, failure 007 20/m x 30s, failure 007 2/s x 150s, success 2/s x 22m",
    "prod/ssoe/logingov sign_in success 2/s x 30m",
    "prod/sis/idme sign_in success 2/s x 30m",
)
SEIZED = "\x1b[2Jmy screen"


def events(*series: str) -> list[bytes]:
    return lines_of([parse_series(text) for text in series or SERIES], START)


def begun(minutes: int) -> list[bytes]:
    """The events of the first minutes."""
    until = START + minutes * MINUTE
    return [line for line in events() if parse_instant(json.loads(line)["occurred_at"]) < until]


def entries(lines: list[bytes]) -> list[Iterator[Entry]]:
    return [((None, line) for line in lines)]


def input_at(at: int, kind: Any, text: str = "", incident: str = "prod-1") -> tuple[int, IncidentInput]:
    asked = IncidentInput(id=f"{at}{kind}", env="prod", kind=kind, incident=incident, by="Ada", text=text)
    return START + at * SECOND, asked


def inputs() -> list[tuple[int, IncidentInput]]:
    """What people ask for while the incident lasts, each with its T."""
    deploy = {
        "id": "d",
        "env": "prod",
        "kind": "deploy",
        "scope": "prod",
        "item": "vets-api",
        "value": "v123",
    }
    return [
        (START + 280 * SECOND, IncidentInput(**deploy, since=START + 120 * SECOND, by="CI")),  # type: ignore[arg-type]
        input_at(60, "note"),
        input_at(360, "acknowledge"),
        input_at(370, "acknowledge"),
        input_at(380, "note", SEIZED),
    ]


@cache
def case_file() -> CaseFile:
    return replayed("prod-1", entries(events()), default_policy(), now=START + 30 * MINUTE, inputs=inputs())
