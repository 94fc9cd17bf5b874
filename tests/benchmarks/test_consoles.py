"""The benchmark of open consoles: which of its figures meet their goals?"""

from __future__ import annotations

from benchmarks.consoles import Costs, figures_of


def test_consoles_and_pages_have_goals_and_the_heaviest_page_counts() -> None:
    costs = Costs(
        shares={"all is well": [0.01, 0.03, 0.02], "an outage": [0.04, 0.06, 0.07]},
        fetched={"all is well": 20.4, "an outage": 90.0},
        weights={"/": 150_000, "/status": 201_000},
    )
    calm, outage, weight = figures_of(costs)
    assert [(one.value, one.met) for one in (calm, weight)] == [(2.0, True), (201.0, False)]
    assert round(outage.value, 6) == 6.0
    assert not outage.met
    assert "20 pages a second" in calm.note
    assert "/ 150 KB, /status 201 KB" in weight.note
