"""A cause belongs to a new incident, to one that it widens or narrows, or to one that explains it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from detectors.instants import HOUR
from detectors.lifecycle.lifecycle import Lifecycle
from detectors.windows.impact import Distinct
from tests.detectors.lifecycle.scenario import START, Scenario, World

MINUTES = 60


def test_unrelated_causes_are_incidents_of_their_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400).fires("prod/sis/mhv")
    heard = scenario.play(until=60)
    assert {i.scope for i in heard.incidents.values()} == {"prod/ssoe/idme", "prod/sis/mhv"}


def test_a_wider_cause_widens_the_incident_which_keeps_its_id() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet("prod/ssoe/idme").fires("prod/*/idme")
    heard = scenario.play(until=80)
    assert heard.kinds() == [(0, "opened"), (80, "scope")]
    incident = heard.incidents["prod-1"]
    assert (incident.scope, incident.narrower) == ("prod/*/idme", ("prod/ssoe/idme",))
    assert heard.last("scope").from_scope == "prod/ssoe/idme"


def test_a_wider_cause_that_passes_widens_nothing() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet().fires("prod/*/idme")
    scenario.at(70).quiet().fires("prod/ssoe/idme").fires("prod/sis")
    scenario.at(300).quiet().fires("prod/ssoe")
    scenario.at(310).quiet().fires("prod/ssoe/idme").fires("prod/sis")
    heard = scenario.play(until=600)
    assert heard.kinds()[:2] == [(0, "opened"), (70, "opened")]
    assert {one.scope for one in heard.incidents.values()} == {"prod/ssoe/idme", "prod/sis"}
    assert "scope" not in [kind for _, kind in heard.kinds()]


def test_a_wider_cause_that_comes_and_goes_widens_once_it_has_held_long_enough() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    for at in range(60, 200, 30):
        scenario.at(at).quiet().fires("prod/ssoe")
        scenario.at(at + 20).quiet().fires("prod/ssoe/idme")
    heard = scenario.play(until=200)
    assert heard.when("scope") == [100]


def test_an_incident_that_has_just_opened_widens_at_once_and_so_does_what_a_person_declares() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(10).quiet().fires("prod/ssoe")
    scenario.at(100).asks("declare", scope="prod")
    heard = scenario.play(until=110)
    assert heard.when("scope") == [10, 100]
    assert heard.incidents["prod-1"].scope == "prod"


def test_a_cause_wider_than_several_widens_the_oldest_and_takes_in_the_others() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(30).fires("prod/ssoe/mhv")
    scenario.at(60).quiet().fires("prod/ssoe")
    heard = scenario.play(until=80)
    first, second = heard.incidents["prod-1"], heard.incidents["prod-2"]
    assert (first.scope, first.state) == ("prod/ssoe", "open")
    assert first.narrower == ("prod/ssoe/idme", "prod/ssoe/mhv")
    assert (second.state, second.resolved_reason) == ("resolved", "merged into prod-1")
    assert (80, "resolve", "error", "prod-2:0") in heard.told("pagerduty")


def test_an_incident_that_was_taken_in_never_reopens() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(30).fires("prod/ssoe/mhv")
    scenario.at(60).quiet().fires("prod/ssoe")
    scenario.at(120).quiet()
    scenario.at(1300).fires("prod/ssoe/mhv")
    heard = scenario.play(until=1300)
    assert heard.last("reopened").incident.id == "prod-1"


def test_what_nobody_has_failed_of_lately_opens_and_reopens_nothing() -> None:
    scenario = Scenario()
    scenario.at(0).nobody_fails().fires("prod/sis", people=400)
    scenario.at(60).quiet().hits(0)
    scenario.at(100).nobody_fails(really=False).fires("prod/ssoe", people=400)
    scenario.at(200).quiet()
    scenario.at(1500).nobody_fails().fires("prod/ssoe")
    heard = scenario.play(until=1600)
    assert heard.when("opened") == [100]
    assert heard.when("reopened") == []


def test_a_finding_comes_back_only_when_somebody_fails_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(100).quiet()
    # Sign-ins become rare, and the window that had shown the end is empty: nobody has failed since.
    scenario.at(300).nobody_fails().fires("prod/ssoe")
    scenario.at(400).quiet()
    heard = scenario.play(until=1200)
    assert heard.when("recovering") == [150]
    assert heard.when("relapsed") == []
    assert heard.when("resolved") == [100 + 900 - 10 + 100], "what is no news only makes it wait"


def test_a_silence_that_comes_back_is_a_relapse_though_nobody_fails() -> None:
    scenario = Scenario()
    scenario.at(0).nobody_fails().fires("prod/ssoe", detector="silence", people=400)
    scenario.at(100).quiet()
    scenario.at(300).fires("prod/ssoe", detector="silence")
    assert scenario.play(until=310).when("relapsed") == [300]


def test_silence_is_news_without_any_failure_and_so_is_what_a_person_says() -> None:
    scenario = Scenario()
    scenario.at(0).nobody_fails().fires("prod/ssoe", detector="silence", people=400)
    scenario.at(10).asks("declare", scope="prod/sis")
    assert scenario.play(until=20).when("opened") == [0, 10]


def test_who_caused_it_is_told_by_what_is_found_on_its_own_scope() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).quiet().fires("prod/ssoe/idme", csp_caused=True)
    scenario.at(700).quiet()
    assert not scenario.play(until=800).incidents["prod-1"].csp_caused


def test_a_declared_outage_that_is_taken_in_stays_declared() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(30).fires("prod/ssoe/mhv")
    scenario.at(40).asks("declare", "prod-2")
    scenario.at(60).quiet().fires("prod/ssoe")
    heard = scenario.play(until=80)
    assert heard.incidents["prod-1"].declared_by == "Ada"


def test_an_incident_that_takes_in_another_has_failed_since_the_first_of_them() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(30).fires("prod/ssoe/mhv", first_bad=START - 2 * HOUR)
    scenario.at(60).quiet().fires("prod/ssoe")
    assert scenario.play(until=80).incidents["prod-1"].first_bad_at == START - 2 * HOUR


def test_nested_causes_of_one_step_are_one_incident_of_the_widest_scope() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet()
    scenario.at(1200).fires("prod/ssoe/idme").fires("prod/ssoe/mhv").fires("prod/ssoe")
    heard = scenario.play(until=1200)
    opened = heard.last("opened").incident
    assert (opened.id, opened.scope, opened.narrower) == (
        "prod-2",
        "prod/ssoe",
        ("prod/ssoe/idme", "prod/ssoe/mhv"),
    )
    assert heard.when("reopened") == []


def test_a_narrower_cause_is_recorded_and_opens_nothing() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).fires("prod/ssoe/mhv")
    heard = scenario.play(until=120)
    assert heard.kinds() == [(0, "opened")]
    assert heard.incidents["prod-1"].narrower == ("prod/ssoe/mhv",)


def test_an_incident_narrows_once_five_minutes_are_explained_by_the_narrower_scope() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    heard = scenario.play(until=600)
    assert heard.when("scope") == [60 - 10 + 5 * MINUTES]
    assert heard.incidents["prod-1"].scope == "prod/ssoe/mhv"
    assert heard.incidents["prod-1"].state == "open"


def test_it_does_not_narrow_while_two_narrower_scopes_fire() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv").fires("prod/ssoe/idme")
    assert scenario.play(until=1200).when("scope") == []


def test_the_five_minutes_go_on_while_only_a_part_of_the_narrower_scope_fires() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", people=400)
    scenario.at(60).quiet("prod").fires("prod/ssoe/mhv")  # what came down first may be the part
    scenario.at(120).quiet("prod/ssoe/mhv").fires("prod/ssoe")
    scenario.at(200).quiet("prod/ssoe").fires("prod/ssoe/mhv").fires("prod/ssoe/idme")
    scenario.at(260).quiet("prod/ssoe/idme")
    heard = scenario.play(until=600)
    assert heard.when("scope") == [60 - 10 + 5 * MINUTES]
    assert heard.incidents["prod-1"].scope == "prod/ssoe"


def test_the_five_minutes_stand_still_while_nothing_fires() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    scenario.at(180).quiet("prod/ssoe/mhv")
    scenario.at(200).fires("prod/ssoe/mhv")
    heard = scenario.play(until=600)
    assert heard.when("scope") == [60 - 10 + 20 + 5 * MINUTES]


def test_they_start_anew_when_what_fires_is_not_within_the_narrower_scope() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", people=400)
    scenario.at(60).quiet("prod").fires("prod/ssoe")
    scenario.at(240).quiet("prod/ssoe").fires("prod/sis")
    heard = scenario.play(until=900)
    assert heard.when("scope") == [240 - 10 + 5 * MINUTES]
    assert heard.incidents["prod-1"].scope == "prod/sis"


def test_it_narrows_though_its_own_scope_fires_for_as_long_as_the_narrower_one_does() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", people=400)
    scenario.at(20).quiet("prod").fires("prod/ssoe")
    scenario.world.findings["prod"] = "firing"
    heard = scenario.play(until=600)
    assert heard.when("scope") == [5 * MINUTES + 10]
    assert heard.incidents["prod-1"].scope == "prod/ssoe"


def test_an_incident_that_has_just_opened_narrows_at_once() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/sis", people=400)
    scenario.at(10).quiet("prod/sis").fires("prod/sis/idme")
    heard = scenario.play(until=400)
    assert heard.when("scope") == [10]
    assert heard.incidents["prod-1"].scope == "prod/sis/idme"


def test_it_does_not_narrow_while_nothing_beside_the_narrower_one_has_evidence() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    for csp in ("idme", "logingov", "dslogon"):
        scenario.at(60).lacks_evidence(f"prod/ssoe/{csp}")
    assert scenario.play(until=1200).when("scope") == []


def test_when_something_beside_the_narrower_one_fires_the_five_minutes_start_anew() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    scenario.play(until=300)
    scenario.world.findings["prod/ssoe/idme"] = "firing"
    scenario.play(until=310)
    scenario.world.findings["prod/ssoe/idme"] = "quiet"
    assert scenario.play(until=900).when("scope") == [310 + 5 * MINUTES]


def test_causes_that_do_not_fire_open_nothing() -> None:
    world = World()
    world.fires("prod/ssoe")
    quiet = [msgspec.structs.replace(c, state="not_enough_evidence") for c in world.causes.values()]
    assert Lifecycle("prod", Scenario().policy).step(world, quiet) == []


def test_a_client_is_a_part_of_its_method_and_of_all_and_overlaps_a_provider() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/sis/*/vaweb", people=400)
    scenario.at(300).fires("prod/sis", people=900)
    heard = scenario.play(until=900)
    assert [t.incident.id for t in heard.transitions if t.kind == "opened"] == ["prod-1"]
    assert heard.transitions[-1].incident.scope == "prod/sis"


def test_a_cause_belongs_to_the_narrowest_incident_that_holds_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/*/*/vaweb", people=400).fires("prod/sis", people=900)
    scenario.at(300).fires("prod/sis/*/vaweb", people=900)
    heard = scenario.play(until=600)
    narrower = {i.scope: i.narrower for i in heard.incidents.values()}
    assert narrower["prod/*/*/vaweb"] == ("prod/sis/*/vaweb",)
    assert narrower["prod/sis"] == ()


class Hit(World):
    """A world in which as many people fail as are told of each scope."""

    hit: Mapping[str, int]

    def people(self, scope: str, since: int) -> Distinct:
        return Distinct(self.hit.get(scope, 0), 0.0)


def hit(**people: int) -> Scenario:
    scenario = Scenario(every=1)
    scenario.world = Hit()
    scenario.world.hit = {"prod/*/*/vaweb": 60, "prod/sis": 90, "prod/sis/*/vaweb": 60, **people}
    return scenario


def test_an_incident_that_has_just_opened_takes_the_scope_that_overlaps_and_explains_it() -> None:
    scenario = hit()
    scenario.at(0).fires("prod/*/*/vaweb")
    scenario.at(1).quiet().fires("prod/sis")
    heard = scenario.play(until=60)
    assert heard.kinds() == [(0, "opened"), (1, "scope")]
    incident = heard.incidents["prod-1"]
    assert (incident.scope, incident.narrower, incident.users_impacted) == ("prod/sis", (), 90)
    assert heard.last("scope").reason.startswith("Moved from prod/*/*/vaweb to prod/sis. ")
    assert len(heard.pages()) == 1


def test_what_has_just_opened_is_taken_into_one_incident_with_all_that_the_cause_explains() -> None:
    scenario = hit(**{"prod/*/idme": 40, "prod/sis/idme": 39})
    scenario.at(0).fires("prod/*/*/vaweb")
    scenario.at(2).fires("prod/*/idme").fires("prod/sis/mhv")
    scenario.at(4).quiet().fires("prod/sis")
    heard = scenario.play(until=60)
    assert {one.id for one in heard.incidents.values() if one.state == "open"} == {"prod-1"}
    assert heard.incidents["prod-1"].scope == "prod/sis"


def test_an_incident_keeps_its_scope_where_a_cause_beside_it_leaves_failures_unexplained() -> None:
    scenario = hit(**{"prod/*/*/vaweb": 80})
    scenario.at(0).fires("prod/*/*/vaweb")
    scenario.at(1).quiet().fires("prod/sis")
    assert {one.scope for one in scenario.play(until=5).incidents.values()} == {"prod/*/*/vaweb", "prod/sis"}


def test_an_incident_keeps_its_scope_while_a_cause_is_on_it_and_once_it_has_stood() -> None:
    for at, left in ((1, "prod/*/*/vaweb"), (15, "prod/sis")):
        scenario = hit()
        scenario.at(0).fires("prod/*/*/vaweb")
        scenario.at(at).quiet().fires(left).fires("prod/sis")
        heard = scenario.play(until=30)
        assert {one.scope for one in heard.incidents.values()} == {"prod/*/*/vaweb", "prod/sis"}


def test_no_declaration_takes_an_incident_over() -> None:
    scenario = hit()
    scenario.at(0).fires("prod/*/*/vaweb")
    scenario.at(1).quiet().asks("declare", scope="prod/sis")
    assert scenario.play(until=2).when("opened") == [0, 1]


def test_a_person_counts_in_the_older_of_two_incidents_that_overlap() -> None:
    class ByScope(World):
        def people(self, scope: str, since: int) -> Distinct:
            return Distinct({"prod/*/idme": 400, "prod/sis": 520, "prod/sis/idme": 390}.get(scope, 0), 0.0)

    scenario = Scenario()
    scenario.world = ByScope()
    scenario.at(0).fires("prod/*/idme")
    scenario.at(60).fires("prod/sis", first_bad=START + 50_000)
    heard = scenario.play(until=120)
    found = {one.scope: (one.users_impacted, one.severity) for one in heard.incidents.values()}
    assert found["prod/*/idme"] == (400, 2)
    assert heard.incidents["prod-2"].counts_opening is not None
    assert heard.incidents["prod-2"].first_bad_at == START + 50_000
    assert found["prod/sis"][0] >= 130
    assert scenario.lifecycle.memory.incidents[1].growth is not None
    assert scenario.lifecycle.memory.incidents[1].growth.most == 130
