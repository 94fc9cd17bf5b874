"""Do the shipped loops of ingest, evaluate, dispatch and delivery come to the right verdicts, whatever goes wrong?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from tests.simulation.checks import live_verdicts
from tests.simulation.plan import Fault, Plan
from tests.simulation.reduce import as_test, checked, fewest

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of warnings of a broker that is away say nothing here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_comes_to_the_right_verdicts(seed: int) -> None:
    run = checked(Plan.drawn(seed))
    assert not run.wrong
    assert list(run.commands())


@pytest.mark.simulation
@pytest.mark.parametrize("first", range(100, 136, 4))
def test_more_seeds_come_to_the_right_verdicts(first: int) -> None:
    wrong = {}
    for seed in range(first, first + 4):
        run = checked(Plan.drawn(seed))
        if run.wrong:
            wrong[seed] = run.wrong[:3]
    assert not wrong, f"see python -m tests.simulation --first {min(wrong)} --seeds 1"


def test_a_seed_is_the_same_run_in_each_process() -> None:
    lines = set()
    for hash_seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--first", "7", "--seeds", "1"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        lines.add(printed.partition("\n")[0])
    assert len(lines) == 1
    assert lines.pop().startswith("seed 7: ")


def test_what_judging_costs_changes_no_verdict() -> None:
    """The speed of a machine sizes the strides in which it judges, and nothing else."""
    plan = replace(
        Plan.drawn(5),
        layout=("ingest", "agents"),
        leased=(True, True),
        asks=False,  # when a person's wish applies depends on how far was judged
        faults=(
            Fault("crash", at=20.0, seconds=5.0, who=1),
            Fault("crash", at=40.0, seconds=5.0, who=0),
            Fault("away", at=60.0, seconds=20.0),
        ),
    )
    runs = [checked(replace(plan, cost_seed=seed)) for seed in (1, 2)]
    assert [run.wrong for run in runs] == [[], []]
    one, other = (live_verdicts(run) for run in runs)
    assert (one.slis, one.transitions, one.commands) == (other.slis, other.transitions, other.commands)
    assert one.commands
    assert runs[0].digest.hex() != runs[1].digest.hex(), "the strides were the same"


# -- the simulation finds what is broken ----------------------------------------------------------------------


def _wrong(seeds: range, **options: Any) -> bool:
    return any(checked(replace(Plan.drawn(seed), **options)).wrong for seed in seeds)


def test_the_fewest_faults_are_found() -> None:
    faults = [Fault("crash", at=float(n)) for n in range(12)]
    culprits = [faults[3], faults[8]]
    assert fewest(faults, lambda some: all(one in some for one in culprits)) == culprits
    assert fewest(faults, lambda some: True) == []


def test_a_reduced_seed_is_told_as_a_test() -> None:
    plan = Plan.drawn(3).with_faults([Fault("crash", at=3.5, who=1)])
    told = as_test(plan)
    assert "Plan.drawn(3)" in told
    assert "Fault('crash', at=3.5, who=1)" in told
    compile(told, "test", "exec")
