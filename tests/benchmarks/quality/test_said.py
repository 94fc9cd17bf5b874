"""What incidents say is compared with the truth, and is true of some scenarios."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from benchmarks.quality.cases import Case
from benchmarks.quality.said import Heard, statements
from detectors.engine.state import StepResult
from streams.settings.policy_file import default_policy
from tests.sinks.samples import incident


def test_projected_people_are_not_taken_for_people_who_were_hit() -> None:
    heard = Heard()
    for basis, users in (("projected", 5000), ("observed", 70), ("observed", 40)):
        one = replace(incident(), basis=basis, users_impacted=users)
        heard.take(StepResult(0, "prod", incidents=(one,)))
    assert heard.people == {(incident().id, incident().epoch): 70}
    assert heard.latest[incident().id, incident().epoch].users_impacted == 40


@pytest.mark.quality
def test_what_is_said_of_a_scenario_is_true() -> None:
    said = statements(Case("library", "ssoe_blip", 1), default_policy())
    assert [one for one in said if not one.is_true] == []
    assert {one.what for one in said} == {"began", "people", "scope", "severity"}
