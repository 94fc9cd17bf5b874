"""An incident opens, changes and closes as its findings require."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from detectors.incidents import Common
from detectors.instants import HOUR
from detectors.lifecycle.lifecycle import Lifecycle
from tests.detectors.lifecycle.scenario import START, Scenario, World, policy

MINUTES = 60
HOURS = 3600


def test_an_outage_opens_is_acknowledged_recovers_resolves_and_is_closed() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(120).asks("acknowledge", "prod-1")
    scenario.at(600).quiet()
    heard = scenario.play(until=2 * HOURS)
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
    assert not scenario.lifecycle.active


def test_an_incident_carries_what_happened_to_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=60, csp_caused=True, first_bad=START - 2 * HOUR)
    scenario.at(300).hits(700)
    scenario.at(600).hits(80)
    heard = scenario.play(until=610)
    incident = heard.incidents["prod-1"]
    assert (incident.env, incident.epoch, incident.scope) == ("prod", 0, "prod/ssoe/idme")
    assert (incident.first_bad_at, incident.opened_at) == (START - 2 * HOUR, START)
    assert (incident.users_impacted, incident.peak_users_impacted, incident.basis) == (80, 700, "observed")
    assert (incident.priority, incident.datadog_severity) == ("P3", "SEV-2")
    assert incident.counts_opening is not None
    assert incident.counts_peak is not None
    assert incident.counts_now is not None
    assert incident.counts_opening.at == START
    assert incident.counts_peak.at == START + 300_000
    assert incident.counts_now.at == START + 610_000
    assert incident.csp_caused
    assert incident.policy_hash == scenario.policy.hash
    assert "IDme_SRP" in incident.links["runbook"]


def test_the_runbook_linked_is_that_of_the_cause_and_shows_the_incident() -> None:
    scenario = Scenario(policy("notify: {console_url: 'https://watch.example/'}"))
    runbooks = "https://watch.example/runbooks"
    scenario.at(0).fires("prod/ssoe", detector="silence", people=60)
    heard = scenario.play(until=0)
    assert heard.last("opened").incident.links["runbook"] == f"{runbooks}/silence?incident=prod-1"
    scenario.at(10).fires("prod/ssoe", people=60)
    assert scenario.play(until=10).incidents["prod-1"].links["runbook"] == f"{runbooks}/ssoe?incident=prod-1"
    scenario.world.in_common = (Common(field="error_code", value="107", failing=50, failing_of=60),)
    heard = scenario.play(until=60)
    assert heard.incidents["prod-1"].links["runbook"] == f"{runbooks}/mpi?incident=prod-1"


def test_recovering_goes_back_to_acknowledged_when_it_fires_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).asks("acknowledge", "prod-1")
    scenario.at(300).quiet()
    scenario.at(500).fires("prod/ssoe")
    heard = scenario.play(until=500)
    assert heard.kinds()[-2:] == [(350, "recovering"), (500, "relapsed")]
    assert heard.incidents["prod-1"].state == "acknowledged"
    assert heard.incidents["prod-1"].recovering_at is None


def test_a_flicker_of_quiet_does_not_look_like_recovery() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(300).quiet()
    scenario.at(340).fires("prod/ssoe")
    assert scenario.play(until=1200).when("recovering") == []


def test_after_each_relapse_it_takes_twice_as_long_to_count_as_recovering() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    for second in (100, 400, 900):
        scenario.at(second).quiet()
        scenario.at(second + 290).fires("prod/ssoe")
    assert scenario.play(until=1200).when("recovering") == [150, 510, 1130]


def test_firing_starts_the_time_of_recovery_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(100).quiet()
    scenario.at(900).fires("prod/ssoe")
    scenario.at(910).quiet()
    heard = scenario.play(until=3000)
    assert heard.when("resolved") == [910 - 10 + 15 * MINUTES]


def test_lack_of_evidence_pauses_the_time_of_recovery_without_starting_it_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(100).quiet()
    scenario.at(700).lacks_evidence("prod/ssoe")
    heard = scenario.play(until=2700)
    assert heard.when("resolved") == []
    scenario.world.findings.clear()
    # 600 s of quiet before the pause, 300 s after it.
    assert scenario.play(until=3200).when("resolved") == [2710 - 10 + 300]


def test_an_incident_whose_evidence_has_run_out_fades_after_two_hours_and_a_success() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).lacks_evidence("prod/ssoe")
    scenario.world.succeeds = False
    assert scenario.play(until=3 * HOURS).when("resolved") == []
    scenario.world.succeeds = True
    heard = scenario.play(until=4 * HOURS)
    assert heard.when("resolved") == [3 * HOURS + 60]
    assert heard.incidents["prod-1"].resolved_reason == "faded"


def test_a_success_long_before_the_end_of_the_two_hours_is_remembered() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).lacks_evidence("prod/ssoe")
    scenario.play(until=1200)
    scenario.world.succeeds = False
    assert scenario.play(until=3 * HOURS).when("resolved") == [540 + 2 * HOURS]


def test_a_success_before_it_fired_again_does_not_count_for_fading() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).quiet()
    scenario.at(240).fires("prod/ssoe")
    scenario.at(300).lacks_evidence("prod/ssoe")
    scenario.play(until=240)
    scenario.world.succeeds = False
    assert scenario.play(until=4 * HOURS).when("resolved") == []


def test_nothing_resolves_and_no_severity_falls_while_a_partition_cannot_be_read() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).quiet(people=0)
    scenario.world.frozen = True
    heard = scenario.play(until=5 * HOURS)
    assert {kind for _, kind in heard.kinds()} <= {"opened", "reminder", "breach", "update"}
    scenario.world.frozen = False
    assert scenario.play(until=6 * HOURS).when("resolved") == [5 * HOURS + 15 * MINUTES]
    assert heard.incidents["prod-1"].resolved_reason == "recovered"


def test_the_two_hours_of_fading_stand_still_while_a_partition_cannot_be_read() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(600).lacks_evidence("prod/ssoe")
    scenario.play(until=1 * HOURS)
    scenario.world.frozen = True
    scenario.play(until=5 * HOURS)
    scenario.world.frozen = False
    heard = scenario.play(until=8 * HOURS)
    assert heard.when("resolved") == [540 + 6 * HOURS]
    assert heard.incidents["prod-1"].resolved_reason == "faded"


def test_an_incident_opens_and_rises_while_a_partition_cannot_be_read() -> None:
    scenario = Scenario()
    scenario.world.frozen = True
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).hits(1500)
    assert scenario.play(until=120).kinds()[:2] == [(0, "opened"), (60, "severity")]


# -- severity -------------------------------------------------------------------------------------------------


def test_severity_rises_at_once_and_the_peak_is_kept_when_it_falls() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).hits(1001)
    scenario.at(200).hits(70)
    heard = scenario.play(until=1200)
    assert heard.when("severity") == [100, 200 + 15 * MINUTES]
    assert (heard.incidents["prod-1"].severity, heard.incidents["prod-1"].peak_severity) == (2, 1)


def test_an_estimate_of_people_carries_its_error_and_the_peak_keeps_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).hits(2_000_000, error=0.002)
    scenario.at(200).hits(1_500_000, error=0.001)
    incident = scenario.play(until=300).incidents["prod-1"]
    assert (incident.basis, incident.users_impacted_error) == ("observed", 0.001)
    assert (incident.peak_users_impacted, incident.peak_users_impacted_error) == (2_000_000, 0.002)
    scenario.at(400).hits(70)
    assert scenario.play(until=400).incidents["prod-1"].users_impacted_error is UNSET


def test_outside_prod_it_is_always_severity_3() -> None:
    scenario = Scenario(env="staging")
    scenario.at(0).fires("staging/ssoe", people=50_000)
    heard = scenario.play(until=1200)
    assert {t.incident.severity for t in heard.transitions} == {3}
    assert heard.incidents["staging-1"].datadog_severity == "SEV-5"
    assert heard.incidents["staging-1"].priority == "P2"


def test_two_providers_down_at_once_are_worse_than_one() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/*/idme", people=60)
    scenario.at(60).fires("prod/*/mhv")
    heard = scenario.play(until=0)
    assert heard.incidents["prod-1"].datadog_severity == "SEV-2"
    heard = scenario.play(until=70)
    assert [i.datadog_severity for i in heard.incidents.values()] == ["SEV-1", "SEV-1"]


def test_fail_over_is_advised_while_ssoe_fails_and_sis_works() -> None:
    scenario = Scenario()
    scenario.world.ratios = {"prod/ssoe": (20, 80), "prod/sis": (99, 1)}
    scenario.at(0).fires("prod/ssoe", people=60)
    advice = scenario.play(until=0).incidents["prod-1"].fail_over
    assert advice is not None
    assert "20% succeed on SSOe and 99% on SiS" in advice
    scenario.world.ratios["prod/ssoe"] = (45, 55)
    assert scenario.play(until=10).incidents["prod-1"].fail_over is not None
    scenario.world.ratios["prod/ssoe"] = (50, 50)
    assert scenario.play(until=20).incidents["prod-1"].fail_over is None


def test_nobody_is_told_to_fail_over_once_it_recovers_until_it_fails_again() -> None:
    # recovering after a minute of quiet, while the window of the advice still holds the failures
    scenario = Scenario()
    scenario.world.ratios = {"prod/ssoe": (20, 80), "prod/sis": (99, 1)}
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(10).quiet()
    scenario.at(200).fires("prod/ssoe", people=60)
    advice = {one.kind: one.incident.fail_over or "" for one in scenario.play(until=210).transitions}
    assert advice["opened"].startswith("Switch web sign-ins from SSOe to SiS: over 15m 20% succeed")
    assert advice["recovering"].startswith("Do not switch web sign-ins from SSOe to SiS any more")
    assert advice["relapsed"].startswith("Switch web sign-ins from SSOe to SiS: over 15m 20% succeed")


def test_what_failing_people_have_in_common_is_brought_up_to_date_each_minute_and_tells_nobody() -> None:
    def common(value: str) -> tuple[Common, ...]:
        return (Common(field="client_id", value=value, failing=88, failing_of=90, usual_share=0.31),)

    scenario = Scenario()
    scenario.world.in_common = common("vaweb")
    scenario.at(0).fires("prod/ssoe", people=60)
    opened = scenario.play(until=0)
    assert opened.incidents["prod-1"].common == common("vaweb")
    scenario.world.in_common = common("vamobile")
    assert scenario.play(until=50).incidents["prod-1"].common == common("vaweb")
    heard = scenario.play(until=60)
    assert heard.incidents["prod-1"].common == common("vamobile")
    assert [t.kind for t in heard.transitions if t.at > START + 50_000] == []
    scenario.world.in_common = None  # too few fail to tell
    assert scenario.play(until=120).incidents["prod-1"].common == common("vamobile")
    scenario.world.in_common = ()
    assert scenario.play(until=180).incidents["prod-1"].common == ()


# -- the memory -----------------------------------------------------------------------------------------------


def test_a_step_that_does_not_come_after_the_last_is_an_error() -> None:
    lifecycle = Lifecycle("prod", Scenario().policy)
    lifecycle.step(World(at=START), [])
    with pytest.raises(ValueError, match="does not come after"):
        lifecycle.step(World(at=START), [])


def test_numbers_are_never_used_again() -> None:
    scenario = Scenario(every=60)
    for day in range(3):
        scenario.at(day * 2 * HOURS).fires("prod/ssoe", people=60)
        scenario.at(day * 2 * HOURS + 60).quiet()
    heard = scenario.play(until=6 * HOURS)
    scenario.restart()
    scenario.at(6 * HOURS + 60).fires("prod/sis")
    heard = scenario.play(until=6 * HOURS + 60)
    assert list(heard.incidents) == ["prod-1", "prod-2", "prod-3", "prod-4"]
