"""Which scenarios are there? Each has a name, a description, episodes, a start and a world."""

from __future__ import annotations

from streams.simulate.library.past import PAST_SCENARIOS
from streams.simulate.library.situations import SITUATIONS
from streams.simulate.library.today import TODAY_SCENARIOS
from streams.simulate.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {one.name: one for one in (*PAST_SCENARIOS, *TODAY_SCENARIOS, *SITUATIONS)}
