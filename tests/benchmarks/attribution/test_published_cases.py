"""The benchmark of attribution reads cases as they are published, and counts as their authors do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attribution.__main__ import Cause, Constants, Score, cases_of, named, score
from benchmarks.attribution.settings import SearchSettings

LABELS = """
- data: first
  timestamp: 120
  cause: {'cdn':3}
- data: second
  timestamp: 120
  cause: [{'cdn':3, 'p2p':1}, {'cdn':4}]
"""
#: One minute before, the minute of the anomaly, one after it that nobody may look at.
ROWS = """min,value,cnt,cdn,p2p
60,1,100,3,0
60,1,100,3,1
60,1,100,4,0
60,1,100,4,1
60,9,10,5,1
120,50,100,3,0
120,50,100,3,1
120,1,100,4,0
120,1,100,4,1
180,90,100,4,0
"""
CONSTANTS = Constants(50.0, SearchSettings(clustering=0.01, scope_cost=4.6, further_cost=20.0))


def cause(**values: str) -> Cause:
    return frozenset(values.items())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "anomaly.yaml").write_text(LABELS)
    for name in ("first", "second"):
        (tmp_path / f"{name}.csv").write_text(ROWS)
    return tmp_path


def test_a_case_is_the_minute_of_the_anomaly_and_those_before_it(folder: Path) -> None:
    first, second = cases_of(folder)
    assert (first.name, first.axes, first.values) == ("first", ("cdn", "p2p"), (("3", "4"), ("0", "1")))
    assert first.codes.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert first.bad.tolist() == [50, 50, 1, 1]
    assert first.bad_before.tolist() == [1, 1, 1, 1]
    assert first.minutes == 1
    assert first.usual == pytest.approx(13 / 410)
    assert first.labels == {cause(cdn="3")}
    assert second.labels == {cause(cdn="3", p2p="1"), cause(cdn="4")}


def test_a_cause_is_named_by_its_attributes(folder: Path) -> None:
    causes, took = named(cases_of(folder)[0], CONSTANTS)
    assert causes == {cause(cdn="3")}
    assert min(took) >= 0


def test_only_exactly_the_same_values_count(folder: Path) -> None:
    first, second = cases_of(folder)
    found = frozenset([cause(cdn="3")])
    assert score(first.labels, found) == Score(tp=1)
    assert score(second.labels, found) == Score(fp=1, fn=2)
    assert score(second.labels, frozenset()) == Score(fn=2)
    assert (Score(1) + Score(0, 1, 2)).f1 == pytest.approx(2 / 5)
