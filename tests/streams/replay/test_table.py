"""What a replay found, as a table."""

from __future__ import annotations

import io

from rich.console import Console

from detectors.engine.state import StepResult
from detectors.incidents import Transition
from streams.evaluate.evaluator import Verdict
from streams.replay.summary import Summary
from streams.replay.table import ReplayTable
from tests.sinks.samples import OPENED, incident


def shown(**changes: object) -> str:
    after = incident(peak_users_impacted=2_104_000, **changes)
    table = ReplayTable()
    opened = Transition(
        kind="opened",
        at=OPENED,
        incident=after,
        from_state=None,
        from_severity=None,
        from_scope=None,
        reason="because",
    )
    brought = StepResult(OPENED, "prod", transitions=[opened])
    table.add(Verdict(brought))
    console = Console(file=io.StringIO(), width=200, highlight=False)
    table.show(Summary(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_people_who_were_counted_stand_alone_and_an_estimate_with_its_error() -> None:
    assert " 2,104,000 │" in shown()
    assert " 2,104,000 ±0.19% │" in shown(peak_users_impacted_error=0.0019)
