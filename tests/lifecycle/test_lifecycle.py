"""The life of an incident, from its first finding to its end."""

from __future__ import annotations

import msgspec
import pytest

from detectors.lifecycle import Lifecycle
from detectors.policy import Policy
from tests.lifecycle.score import START, Score, World, policy

MINUTES = 60
HOURS = 3600


def test_an_outage_opens_is_acknowledged_recovers_resolves_and_is_closed() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(120).asks("acknowledge", "prod-1")
    score.at(600).quiet()
    heard = score.play(until=2 * HOURS)
    # The step at 600 s is the first that is quiet: 60 s of quiet at 650 s, 15 min at 1490 s.
    assert heard.kinds() == [
        (0, "opened"),
        (120, "acknowledged"),
        (650, "recovering"),
        (1490, "resolved"),
        (1490 + 30 * MINUTES, "closed"),
    ]
    states = [(t.from_state, t.incident.state) for t in heard.transitions]
    assert states == [
        (None, "open"),
        ("open", "acknowledged"),
        ("acknowledged", "recovering"),
        ("recovering", "resolved"),
        ("resolved", "closed"),
    ]
    assert heard.incidents["prod-1"].resolved_reason == "recovered"
    assert not score.lifecycle.active


def test_an_incident_carries_what_happened_to_it() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=60, csp_caused=True, first_bad=START - 25_000)
    score.at(300).hits(700)
    score.at(600).hits(80)
    heard = score.play(until=610)
    incident = heard.incidents["prod-1"]
    assert (incident.env, incident.epoch, incident.scope) == ("prod", 0, "prod/ssoe/idme")
    assert (incident.first_bad_at, incident.opened_at) == (START - 25_000, START)
    assert (incident.users_impacted, incident.peak_users_impacted, incident.basis) == (80, 700, "observed")
    assert (incident.priority, incident.datadog_severity) == ("P3", "SEV-2")
    assert incident.counts_opening is not None
    assert incident.counts_peak is not None
    assert incident.counts_now is not None
    assert incident.counts_opening.at == START
    assert incident.counts_peak.at == START + 300_000
    assert incident.counts_now.at == START + 610_000
    assert incident.csp_caused
    assert incident.policy_hash == score.policy.hash
    assert "IDme_SRP" in incident.links["runbook"]


def test_recovering_goes_back_to_acknowledged_when_it_fires_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).asks("acknowledge", "prod-1")
    score.at(300).quiet()
    score.at(500).fires("prod/ssoe")
    heard = score.play(until=500)
    assert heard.kinds()[-2:] == [(350, "recovering"), (500, "relapsed")]
    assert heard.incidents["prod-1"].state == "acknowledged"
    assert heard.incidents["prod-1"].recovering_at is None


def test_a_flicker_of_quiet_does_not_look_like_recovery() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(300).quiet()
    score.at(340).fires("prod/ssoe")
    assert score.play(until=1200).when("recovering") == []


def test_after_each_relapse_it_takes_twice_as_long_to_count_as_recovering() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    for second in (100, 400, 900):
        score.at(second).quiet()
        score.at(second + 290).fires("prod/ssoe")
    assert score.play(until=1200).when("recovering") == [150, 510, 1130]


def test_firing_starts_the_time_of_recovery_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(100).quiet()
    score.at(900).fires("prod/ssoe")
    score.at(910).quiet()
    heard = score.play(until=3000)
    assert heard.when("resolved") == [910 - 10 + 15 * MINUTES]


def test_lack_of_evidence_pauses_the_time_of_recovery_without_starting_it_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(100).quiet()
    score.at(700).lacks_evidence("prod/ssoe")
    heard = score.play(until=2700)
    assert heard.when("resolved") == []
    score.world.findings.clear()
    # 600 s of quiet before the pause, 300 s after it.
    assert score.play(until=3200).when("resolved") == [2710 - 10 + 300]


def test_an_incident_whose_evidence_has_run_out_fades_after_two_hours_and_a_success() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=400)
    score.at(600).lacks_evidence("prod/ssoe")
    score.world.succeeds = False
    assert score.play(until=3 * HOURS).when("resolved") == []
    score.world.succeeds = True
    heard = score.play(until=4 * HOURS)
    assert heard.when("resolved") == [3 * HOURS + 60]
    assert heard.incidents["prod-1"].resolved_reason == "faded"


def test_a_success_long_before_the_end_of_the_two_hours_is_remembered() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=400)
    score.at(600).lacks_evidence("prod/ssoe")
    score.play(until=1200)
    score.world.succeeds = False
    assert score.play(until=3 * HOURS).when("resolved") == [540 + 2 * HOURS]


def test_a_success_before_it_fired_again_does_not_count_for_fading() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).quiet()
    score.at(240).fires("prod/ssoe")
    score.at(300).lacks_evidence("prod/ssoe")
    score.play(until=240)
    score.world.succeeds = False
    assert score.play(until=4 * HOURS).when("resolved") == []


def test_nothing_resolves_and_no_severity_falls_while_a_partition_cannot_be_read() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=400)
    score.at(600).quiet(people=0)
    score.world.frozen = True
    heard = score.play(until=5 * HOURS)
    assert {kind for _, kind in heard.kinds()} <= {"opened", "reminder", "breach", "update"}
    score.world.frozen = False
    assert score.play(until=6 * HOURS).when("resolved") == [5 * HOURS + 60]
    assert heard.incidents["prod-1"].resolved_reason == "faded"


def test_an_incident_opens_and_rises_while_a_partition_cannot_be_read() -> None:
    score = Score()
    score.world.frozen = True
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).hits(1500)
    assert score.play(until=120).kinds()[:2] == [(0, "opened"), (60, "severity")]


# -- reopening -----------------------------------------------------------------------------------------------


def test_the_same_scope_within_half_an_hour_reopens_it_without_its_acknowledgement() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).asks("acknowledge", "prod-1")
    score.at(300).quiet()
    score.at(1190 + 30 * MINUTES).fires("prod/ssoe")
    heard = score.play(until=4000)
    assert heard.when("resolved")[0] == 1190
    reopened = heard.last("reopened")
    assert (reopened.incident.id, reopened.incident.epoch, reopened.from_state) == ("prod-1", 1, "resolved")
    assert reopened.incident.acknowledged_at is None
    assert reopened.incident.resolved_reason is None
    assert reopened.incident.opened_at == reopened.at
    assert reopened.incident.pages[0].dedup_key == "watchofficer:prod-1:1"


def test_the_same_scope_later_than_that_is_another_incident() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(300).quiet()
    score.at(1190 + 30 * MINUTES + 10).fires("prod/ssoe")
    heard = score.play(until=4000)
    assert [t.incident.id for t in heard.transitions if t.kind == "opened"] == ["prod-1", "prod-2"]
    assert heard.when("reopened") == []


@pytest.mark.parametrize("scope", ["prod", "prod/sis", "prod/ssoe/idme", "prod/*/idme"])
def test_another_scope_does_not_reopen_it_even_if_it_is_related(scope: str) -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(300).quiet()
    score.at(1500).fires(scope)
    heard = score.play(until=1500)
    assert heard.last("opened").incident.id == "prod-2"


def test_a_scope_on_which_it_had_findings_before_reopens_it() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet("prod/ssoe/idme").fires("prod/ssoe")
    score.at(300).quiet()
    score.at(1500).fires("prod/ssoe/idme")
    reopened = score.play(until=1500).last("reopened")
    assert (reopened.incident.epoch, reopened.from_scope, reopened.incident.scope) == (
        1,
        "prod/ssoe",
        "prod/ssoe/idme",
    )


def test_the_scopes_of_earlier_epochs_are_remembered_too() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet().fires("prod/ssoe")
    score.at(300).quiet()
    score.at(1500).fires("prod/ssoe/idme")
    score.at(1800).quiet()
    score.at(3000).fires("prod/ssoe")
    heard = score.play(until=3000)
    assert heard.when("reopened") == [1500, 3000]
    assert (heard.incidents["prod-1"].epoch, heard.incidents["prod-1"].scope) == (2, "prod/ssoe")


def test_of_two_that_could_reopen_the_one_that_ended_on_the_very_scope_does() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet().fires("prod/ssoe")
    score.at(120).asks("resolve", "prod-1").quiet()
    score.at(300).fires("prod/*/idme")
    score.at(310).quiet().fires("prod/ssoe/idme")
    score.at(700).asks("resolve", "prod-2").quiet()
    heard = score.play(until=900)
    assert [i.scope for i in heard.incidents.values()] == ["prod/ssoe", "prod/ssoe/idme"]
    score.at(910).fires("prod/ssoe/idme")
    assert score.play(until=910).last("reopened").incident.id == "prod-2"


def test_what_was_declared_stays_declared_when_it_comes_back() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).asks("declare", "prod-1")
    score.at(300).quiet()
    score.at(1500).fires("prod/ssoe")
    heard = score.play(until=1500)
    assert heard.incidents["prod-1"].declared_by == "Ada"
    assert (1500, "incident_create", "error", "prod-1:1") in heard.told("datadog")


# -- which incident a cause belongs to -----------------------------------------------------------------------


def test_unrelated_causes_are_incidents_of_their_own() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400).fires("prod/sis/mhv")
    heard = score.play(until=60)
    assert {i.scope for i in heard.incidents.values()} == {"prod/ssoe/idme", "prod/sis/mhv"}


def test_a_wider_cause_widens_the_incident_which_keeps_its_id() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet("prod/ssoe/idme").fires("prod/*/idme")
    heard = score.play(until=80)
    assert heard.kinds() == [(0, "opened"), (80, "scope")]
    incident = heard.incidents["prod-1"]
    assert (incident.scope, incident.narrower) == ("prod/*/idme", ("prod/ssoe/idme",))
    assert heard.last("scope").from_scope == "prod/ssoe/idme"


def test_a_wider_cause_that_passes_widens_nothing() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet().fires("prod/*/idme")
    score.at(70).quiet().fires("prod/ssoe/idme").fires("prod/sis")
    score.at(300).quiet().fires("prod/ssoe")
    score.at(310).quiet().fires("prod/ssoe/idme").fires("prod/sis")
    heard = score.play(until=600)
    assert heard.kinds()[:2] == [(0, "opened"), (70, "opened")]
    assert {one.scope for one in heard.incidents.values()} == {"prod/ssoe/idme", "prod/sis"}
    assert "scope" not in [kind for _, kind in heard.kinds()]


def test_a_wider_cause_that_comes_and_goes_widens_once_it_has_held_long_enough() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    for at in range(60, 200, 30):
        score.at(at).quiet().fires("prod/ssoe")
        score.at(at + 20).quiet().fires("prod/ssoe/idme")
    heard = score.play(until=200)
    assert heard.when("scope") == [100]


def test_an_incident_that_has_just_opened_widens_at_once_and_so_does_what_a_person_declares() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(10).quiet().fires("prod/ssoe")
    score.at(100).asks("declare", scope="prod")
    heard = score.play(until=110)
    assert heard.when("scope") == [10, 100]
    assert heard.incidents["prod-1"].scope == "prod"


def test_a_cause_wider_than_several_widens_the_oldest_and_takes_in_the_others() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(30).fires("prod/ssoe/mhv")
    score.at(60).quiet().fires("prod/ssoe")
    heard = score.play(until=80)
    first, second = heard.incidents["prod-1"], heard.incidents["prod-2"]
    assert (first.scope, first.state) == ("prod/ssoe", "open")
    assert first.narrower == ("prod/ssoe/idme", "prod/ssoe/mhv")
    assert (second.state, second.resolved_reason) == ("resolved", "merged into prod-1")
    assert (80, "resolve", "error", "prod-2:0") in heard.told("pagerduty")


def test_an_incident_that_was_taken_in_never_reopens() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(30).fires("prod/ssoe/mhv")
    score.at(60).quiet().fires("prod/ssoe")
    score.at(120).quiet()
    score.at(1300).fires("prod/ssoe/mhv")
    heard = score.play(until=1300)
    assert heard.last("reopened").incident.id == "prod-1"


def test_what_nobody_has_failed_of_lately_opens_and_reopens_nothing() -> None:
    score = Score()
    score.at(0).nobody_fails().fires("prod/sis", people=400)
    score.at(60).quiet().hits(0)
    score.at(100).nobody_fails(really=False).fires("prod/ssoe", people=400)
    score.at(200).quiet()
    score.at(1500).nobody_fails().fires("prod/ssoe")
    heard = score.play(until=1600)
    assert heard.when("opened") == [100]
    assert heard.when("reopened") == []


def test_a_finding_comes_back_only_when_somebody_fails_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(100).quiet()
    # Sign-ins become rare, and the window that had shown the end is empty: nobody has failed since.
    score.at(300).nobody_fails().fires("prod/ssoe")
    score.at(400).quiet()
    heard = score.play(until=1200)
    assert heard.when("recovering") == [150]
    assert heard.when("relapsed") == []
    assert heard.when("resolved") == [100 + 900 - 10 + 100], "what is no news only makes it wait"


def test_a_silence_that_comes_back_is_a_relapse_though_nobody_fails() -> None:
    score = Score()
    score.at(0).nobody_fails().fires("prod/ssoe", detector="silence", people=400)
    score.at(100).quiet()
    score.at(300).fires("prod/ssoe", detector="silence")
    assert score.play(until=310).when("relapsed") == [300]


def test_silence_is_news_without_any_failure_and_so_is_what_a_person_says() -> None:
    score = Score()
    score.at(0).nobody_fails().fires("prod/ssoe", detector="silence", people=400)
    score.at(10).asks("declare", scope="prod/sis")
    assert score.play(until=20).when("opened") == [0, 10]


def test_who_caused_it_is_told_by_what_is_found_on_its_own_scope() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(600).quiet().fires("prod/ssoe/idme", csp_caused=True)
    score.at(700).quiet()
    assert not score.play(until=800).incidents["prod-1"].csp_caused


def test_a_declared_outage_that_is_taken_in_stays_declared() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(30).fires("prod/ssoe/mhv")
    score.at(40).asks("declare", "prod-2")
    score.at(60).quiet().fires("prod/ssoe")
    heard = score.play(until=80)
    assert heard.incidents["prod-1"].declared_by == "Ada"


def test_an_incident_that_takes_in_another_has_failed_since_the_first_of_them() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(30).fires("prod/ssoe/mhv", first_bad=START - 90_000)
    score.at(60).quiet().fires("prod/ssoe")
    assert score.play(until=80).incidents["prod-1"].first_bad_at == START - 90_000


def test_nested_causes_of_one_step_are_one_incident_of_the_widest_scope() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=400)
    score.at(60).quiet()
    score.at(1200).fires("prod/ssoe/idme").fires("prod/ssoe/mhv").fires("prod/ssoe")
    heard = score.play(until=1200)
    opened = heard.last("opened").incident
    assert (opened.id, opened.scope, opened.narrower) == (
        "prod-2",
        "prod/ssoe",
        ("prod/ssoe/idme", "prod/ssoe/mhv"),
    )
    assert heard.when("reopened") == []


def test_a_narrower_cause_is_recorded_and_opens_nothing() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).fires("prod/ssoe/mhv")
    heard = score.play(until=120)
    assert heard.kinds() == [(0, "opened")]
    assert heard.incidents["prod-1"].narrower == ("prod/ssoe/mhv",)


def test_an_incident_narrows_once_five_minutes_are_explained_by_the_narrower_scope() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    heard = score.play(until=600)
    assert heard.when("scope") == [60 - 10 + 5 * MINUTES]
    assert heard.incidents["prod-1"].scope == "prod/ssoe/mhv"
    assert heard.incidents["prod-1"].state == "open"


def test_it_does_not_narrow_while_two_narrower_scopes_fire() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv").fires("prod/ssoe/idme")
    assert score.play(until=1200).when("scope") == []


def test_it_narrows_though_its_own_scope_fires_for_as_long_as_the_narrower_one_does() -> None:
    score = Score()
    score.at(0).fires("prod", people=400)
    score.at(10).quiet("prod").fires("prod/ssoe")
    score.world.findings["prod"] = "firing"
    heard = score.play(until=600)
    assert heard.when("scope") == [5 * MINUTES]
    assert heard.incidents["prod-1"].scope == "prod/ssoe"


def test_it_does_not_narrow_while_nothing_beside_the_narrower_one_has_evidence() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    for csp in ("idme", "logingov", "dslogon"):
        score.at(60).lacks_evidence(f"prod/ssoe/{csp}")
    assert score.play(until=1200).when("scope") == []


def test_when_something_beside_the_narrower_one_fires_the_five_minutes_start_anew() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=400)
    score.at(60).quiet("prod/ssoe").fires("prod/ssoe/mhv")
    score.play(until=300)
    score.world.findings["prod/ssoe/idme"] = "firing"
    score.play(until=310)
    score.world.findings["prod/ssoe/idme"] = "quiet"
    assert score.play(until=900).when("scope") == [310 + 5 * MINUTES]


def test_causes_that_do_not_fire_open_nothing() -> None:
    world = World()
    world.fires("prod/ssoe")
    quiet = [msgspec.structs.replace(c, state="not_enough_evidence") for c in world.causes.values()]
    assert Lifecycle("prod", Score().policy).step(world, quiet) == []


# -- severity ------------------------------------------------------------------------------------------------


def test_severity_rises_at_once_and_the_peak_is_kept_when_it_falls() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).hits(1001)
    score.at(200).hits(70)
    heard = score.play(until=1200)
    assert heard.when("severity") == [100, 200 + 15 * MINUTES]
    assert (heard.incidents["prod-1"].severity, heard.incidents["prod-1"].peak_severity) == (2, 1)


def test_outside_prod_it_is_always_severity_3() -> None:
    score = Score(env="staging")
    score.at(0).fires("staging/ssoe", people=50_000)
    heard = score.play(until=1200)
    assert {t.incident.severity for t in heard.transitions} == {3}
    assert heard.incidents["staging-1"].datadog_severity == "SEV-5"
    assert heard.incidents["staging-1"].priority == "P2"


def test_two_providers_down_at_once_are_worse_than_one() -> None:
    score = Score()
    score.at(0).fires("prod/*/idme", people=60)
    score.at(60).fires("prod/*/mhv")
    heard = score.play(until=0)
    assert heard.incidents["prod-1"].datadog_severity == "SEV-2"
    heard = score.play(until=70)
    assert [i.datadog_severity for i in heard.incidents.values()] == ["SEV-1", "SEV-1"]


def test_fail_over_is_advised_while_ssoe_fails_and_sis_works() -> None:
    score = Score()
    score.world.ratios = {"prod/ssoe": (20, 80), "prod/sis": (99, 1)}
    score.at(0).fires("prod/ssoe", people=60)
    advice = score.play(until=0).incidents["prod-1"].fail_over
    assert advice is not None
    assert "20% succeed on SSOe and 99% on SiS" in advice
    score.world.ratios["prod/ssoe"] = (45, 55)
    assert score.play(until=10).incidents["prod-1"].fail_over is not None
    score.world.ratios["prod/ssoe"] = (50, 50)
    assert score.play(until=20).incidents["prod-1"].fail_over is None


# -- declaring -----------------------------------------------------------------------------------------------


def test_priority_1_is_declared_automatically_and_once() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=1000)
    score.at(60).hits(1001)
    score.at(120).hits(500)
    score.at(180).hits(5000)
    heard = score.play(until=600)
    assert heard.when("declared") == [60]
    assert heard.last("declared").by is None
    assert heard.incidents["prod-1"].declared_by == "policy"


def test_an_outage_that_opens_as_priority_1_is_declared_in_the_same_step() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=5000)
    assert score.play(until=0).kinds() == [(0, "opened"), (0, "declared")]


def test_in_maintenance_nothing_is_declared_automatically() -> None:
    score = Score(_maintenance("prod", "2026-11-23T14:00:00Z", "2026-11-23T15:10:00Z"))
    score.at(0).fires("prod/ssoe", people=5000)
    assert score.play(until=1200).when("declared") == [600]


def test_a_person_may_declare_an_incident_once() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(60).asks("declare", "prod-1")
    score.at(120).asks("declare", "prod-1", by="Bob")
    heard = score.play(until=200)
    assert heard.incidents["prod-1"].declared_by == "Ada"
    assert [reason for _, reason in heard.refused] == ["prod-1 is declared already, by Ada"]


def test_declaring_a_scope_without_an_incident_opens_one() -> None:
    score = Score()
    score.at(0).asks("declare", scope="prod/sis", text="nobody gets in")
    heard = score.play(until=0)
    assert heard.kinds() == [(0, "opened"), (0, "declared")]
    incident = heard.incidents["prod-1"]
    assert (incident.scope, incident.causes, incident.declared_by) == ("prod/sis", ("declared",), "Ada")


def test_what_only_a_person_declared_does_not_resolve_because_nothing_is_found() -> None:
    score = Score(every=60)
    score.at(0).asks("declare", scope="prod/sis")
    score.at(HOURS).asks("resolve", "prod-1")
    heard = score.play(until=HOURS)
    assert heard.when("recovering") == []
    assert heard.when("resolved") == [HOURS]


def test_what_only_a_person_declared_fades_like_any_other() -> None:
    score = Score(every=60)
    score.at(0).asks("declare", scope="prod/sis")
    heard = score.play(until=3 * HOURS)
    assert heard.when("resolved") == [2 * HOURS]


def test_declaring_a_scope_that_an_open_incident_covers_declares_that_one() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(60).asks("declare", scope="prod/ssoe/mhv")
    heard = score.play(until=60)
    assert heard.kinds() == [(0, "opened"), (60, "declared")]


def test_declaring_while_it_recovers_is_no_relapse() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(60).quiet()
    score.at(300).asks("declare", scope="prod/ssoe")
    heard = score.play(until=1200)
    assert heard.when("relapsed") == []
    assert heard.when("resolved") == [50 + 15 * MINUTES]


def test_what_is_declared_in_the_step_of_its_recovery_is_not_resolved_in_it() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=60).fires("prod/ssoe/mhv")
    score.at(10).quiet()
    score.at(900).asks("declare", scope="prod/ssoe")
    heard = score.play(until=900)
    assert [(i.state, i.declared_by) for i in heard.incidents.values()] == [
        ("recovering", "Ada"),
        ("resolved", None),
    ]


# -- what people ask for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("acknowledge", {"incident": "prod-9"}, "there is no incident prod-9 that is not closed"),
        ("unacknowledge", {"incident": "prod-1"}, "prod-1 is not acknowledged"),
        ("note", {"incident": "prod-1", "env": "staging"}, "it is for staging, this is prod"),
        ("declare", {"scope": "prod/nowhere"}, "there is no scope 'prod/nowhere'"),
        ("declare", {"scope": "staging/sis"}, "staging/sis is not in prod"),
        ("declare", {}, "it names no scope"),
        ("report", {"scope": "prod/sis"}, "no incident is open on prod/sis, and a report alone opens none"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    kind: str, fields: dict[str, str], reason: str
) -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20).asks(kind, **fields)
    heard = score.play(until=20)
    assert [(wish.kind, why) for wish, why in heard.refused] == [(kind, reason)]
    assert heard.kinds() == [(0, "opened")]


@pytest.mark.parametrize("kind", ["acknowledge", "unacknowledge", "resolve", "declare"])
def test_a_resolved_incident_takes_notes_only(kind: str) -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(10).quiet()
    score.at(1200).asks(kind, "prod-1").asks("note", "prod-1", text="It was the router.")
    heard = score.play(until=1200)
    assert [why for _, why in heard.refused] == ["prod-1 is resolved"]
    assert [note.text for note in heard.incidents["prod-1"].notes] == ["It was the router."]


def test_an_input_applies_once_however_often_it_is_delivered() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    for second in (10, 20, 30):
        score.at(second).asks("note", "prod-1", id="the same", text="once")
    heard = score.play(until=30)
    assert len(heard.incidents["prod-1"].notes) == 1
    assert [why for _, why in heard.refused] == ["it was dealt with before"] * 2


def test_an_input_is_remembered_beyond_the_next_one() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    for second, name in ((10, "one"), (20, "two"), (30, "one")):
        score.at(second).asks("note", "prod-1", id=name, text=name)
    assert [n.text for n in score.play(until=30).incidents["prod-1"].notes] == ["one", "two"]


def test_a_report_is_noted_on_the_incident_that_may_be_why() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20).asks("report", scope="prod/ssoe/mhv", text="cannot sign in")
    heard = score.play(until=20)
    assert heard.incidents["prod-1"].notes[0].text == "reports that prod/ssoe/mhv fails: cannot sign in"


@pytest.mark.parametrize(("fails", "said"), [("prod/*/idme", "prod/ssoe"), ("prod/sis", "prod/*/idme")])
def test_a_report_of_a_scope_that_only_overlaps_may_still_be_of_the_same(fails: str, said: str) -> None:
    score = Score()
    score.at(0).fires(fails, people=60)
    score.at(20).asks("report", scope=said)
    assert score.play(until=20).incidents["prod-1"].notes[0].text == f"reports that {said} fails"


def test_an_acknowledgement_can_be_taken_back() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20).asks("acknowledge", "prod-1")
    score.at(40).asks("unacknowledge", "prod-1")
    heard = score.play(until=40)
    assert heard.incidents["prod-1"].state == "open"
    assert heard.incidents["prod-1"].acknowledged_by is None


def test_an_incident_may_be_acknowledged_while_it_recovers() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20).quiet()
    score.at(200).asks("acknowledge", "prod-1")
    score.at(300).fires("prod/ssoe")
    heard = score.play(until=300)
    assert heard.last("acknowledged").incident.state == "recovering"
    assert heard.incidents["prod-1"].state == "acknowledged"


def test_what_a_person_resolves_while_it_fires_stays_resolved_for_five_minutes() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("resolve", "prod-1", text="false alarm")
    heard = score.play(until=600)
    assert heard.kinds() == [(0, "opened"), (100, "resolved"), (100 + 5 * MINUTES, "reopened")]
    assert heard.transitions[1].incident.resolved_by == "Ada"
    assert heard.transitions[1].incident.resolved_reason == "by a person"


def test_what_a_person_resolves_reopens_at_once_when_it_fires_after_having_been_quiet() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("resolve", "prod-1")
    score.at(110).quiet()
    score.at(190).fires("prod/ssoe")
    assert score.play(until=190).when("reopened") == [190]


def test_a_flicker_of_quiet_does_not_overrule_the_person() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("resolve", "prod-1")
    score.at(110).quiet()
    score.at(120).fires("prod/ssoe")
    heard = score.play(until=380)
    assert (heard.when("opened"), heard.when("reopened")) == ([0], [])


def test_a_persons_word_holds_even_where_nothing_ever_reopens() -> None:
    score = Score(policy("lifecycle: {reopen_within: 0s}"))
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("resolve", "prod-1")
    heard = score.play(until=390)
    assert heard.kinds() == [(0, "opened"), (100, "resolved")]


def test_narrower_causes_of_what_a_person_resolved_open_nothing_meanwhile() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("resolve", "prod-1").quiet("prod/ssoe").fires("prod/ssoe/mhv")
    heard = score.play(until=390)
    assert heard.when("opened") == [0]
    assert score.play(until=400).last("reopened").incident.scope == "prod/ssoe/mhv"


# -- clocks --------------------------------------------------------------------------------------------------


def test_an_unacknowledged_severity_1_is_reminded_of_and_breaches_by_both_clocks() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    heard = score.play(until=2 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 30 * MINUTES]
    assert heard.when("breach") == [30 * MINUTES, 60 * MINUTES]


def test_a_severity_2_has_four_hours() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    heard = score.play(until=5 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 2 * HOURS]
    assert heard.when("breach") == [30 * MINUTES, 4 * HOURS]


def test_a_severity_3_in_staging_has_a_business_day_and_no_alert_to_answer() -> None:
    score = Score(env="staging", every=60)
    score.at(0).fires("staging/ssoe", people=60)
    heard = score.play(until=26 * HOURS)
    # Opened on Monday at 10:00 in New York; half of its 11 hours are over at 15:30, all on Tuesday at 10:00.
    assert heard.when("reminder") == [5 * HOURS + 30 * MINUTES]
    assert heard.when("breach") == [24 * HOURS]


def test_acknowledging_stops_the_clocks() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    score.at(10 * MINUTES).asks("acknowledge", "prod-1")
    heard = score.play(until=2 * HOURS)
    assert (heard.when("reminder"), heard.when("breach")) == ([], [])


def test_a_rise_brings_the_deadline_forward() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(90 * MINUTES).hits(5000)
    assert score.play(until=2 * HOURS).when("breach") == [30 * MINUTES, 90 * MINUTES]


def test_a_reopened_incident_has_a_clock_of_its_own() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    score.at(60).asks("acknowledge", "prod-1").quiet()
    score.at(20 * MINUTES).fires("prod/ssoe")
    assert score.play(until=HOURS).when("reminder") == [35 * MINUTES, 50 * MINUTES]


def test_the_routine_update_comes_half_an_hour_after_the_last_message() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20 * MINUTES).asks("acknowledge", "prod-1")
    heard = score.play(until=115 * MINUTES)
    assert heard.when("update") == [50 * MINUTES, 80 * MINUTES, 110 * MINUTES]


def test_notes_do_not_put_off_the_routine_update() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(1).asks("acknowledge", "prod-1")
    score.at(20 * MINUTES).asks("note", "prod-1", text="looking")
    assert score.play(until=40 * MINUTES).when("update") == [31 * MINUTES]


# -- the memory ----------------------------------------------------------------------------------------------


def test_a_step_that_does_not_come_after_the_last_is_an_error() -> None:
    lifecycle = Lifecycle("prod", Score().policy)
    lifecycle.step(World(at=START), [])
    with pytest.raises(ValueError, match="does not come after"):
        lifecycle.step(World(at=START), [])


def test_numbers_are_never_used_again() -> None:
    score = Score(every=60)
    for day in range(3):
        score.at(day * 2 * HOURS).fires("prod/ssoe", people=60)
        score.at(day * 2 * HOURS + 60).quiet()
    heard = score.play(until=6 * HOURS)
    score.restart()
    score.at(6 * HOURS + 60).fires("prod/sis")
    heard = score.play(until=6 * HOURS + 60)
    assert list(heard.incidents) == ["prod-1", "prod-2", "prod-3", "prod-4"]


def _maintenance(scope: str, start: str, end: str) -> Policy:
    return policy(f"maintenance:\n- {{scope: {scope}, start: {start}, end: {end}, description: patching}}\n")
