"""A dozen faults on Apache Kafka; ``make test-faults KILLS=200`` is the full figure."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.campaign import campaign

_FAULTS = 12


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_whatever_fails_and_whenever_the_verdicts_and_the_pages_are_what_the_log_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        print(f"\nSEED={seed} reproduces the schedule", flush=True)
        figures = campaign(seed, _FAULTS, "kafka", tmp_path / "faults", lambda line: print(line, flush=True))
        print(figures.words(), flush=True)
    assert figures.complaints == []
    assert figures.compared["sli"] > 500
    assert figures.compared["pages"] >= 1
