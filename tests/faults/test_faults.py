"""A dozen faults of each sort on Apache Kafka; ``make test-faults KILLS=200`` is the full figure."""

from __future__ import annotations

import os
import random
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.faults.campaign.campaign import campaign
from tests.faults.campaign.schedule import BROKER_KINDS, SILENT_KINDS, TROUBLE_KINDS, WORKER_KINDS, Kind

_FAULTS = 12
#: What goes wrong without the end of a process and without waiting for long.
_FEW = frozenset[Kind]({"denied", "marker", "transaction", "poison"})
_ALL = frozenset[Kind]({*WORKER_KINDS, *BROKER_KINDS, *TROUBLE_KINDS})
#: The faults that end or hold processes, and those in which all of them run and nothing may get on.
_LOUD_KINDS = frozenset({*WORKER_KINDS, *BROKER_KINDS}) - SILENT_KINDS


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("without", "faults"),
    [
        pytest.param(SILENT_KINDS, _FAULTS, id="ended", marks=pytest.mark.faults),
        pytest.param(_LOUD_KINDS, _FAULTS, id="stuck", marks=pytest.mark.blind),
        pytest.param(_ALL - _FEW, len(_FEW), id="stuck-few", marks=[pytest.mark.blind, pytest.mark.ci]),
    ],
)
def test_whatever_fails_and_whenever_the_verdicts_and_the_pages_are_what_the_log_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], without: Collection[Kind], faults: int
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        print(f"\nSEED={seed} reproduces the schedule", flush=True)
        folder = tmp_path / "faults"
        figures = campaign(
            seed, faults, "kafka", folder, lambda line: print(line, flush=True), without=without
        )
        print(figures.words(), flush=True)
    assert figures.complaints == []
    assert figures.compared["sli"] > 500
    assert figures.compared["pages"] >= (
        faults >= _FAULTS
    )  # a few faults may leave no time for an outage that pages
    assert figures.compared["looks of the witness"] > 50
