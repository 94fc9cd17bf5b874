"""What is on the Prometheus page, read back by Prometheus' own parsers."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sinks.metrics.notices import NoticeMetrics
from sinks.metrics.prometheus import Metrics
from sinks.metrics.scoped import scope_labels
from sinks.metrics.snapshot import NO_CSP, RESULTS, EnvSnapshot
from tests.support.processes import needs

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
NOW = 1_764_000_000_000
METHODS, CSPS = ("ssoe", "sis"), ("idme", "logingov")
PROD, SSOE, SIS, IDME = ("", "", ""), ("ssoe", "", ""), ("sis", "", ""), ("", "idme", "")
BAD = ("ssoe", "idme", "bad")
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"

needs_promtool = needs("promtool", "prometheus")


def metrics() -> Metrics:
    return Metrics(
        clock=lambda: NOW,
        burn_windows=("5m", "1h"),
        methods=METHODS,
        csps=CSPS,
        notices=NoticeMetrics(("new_value",), ("step",)),
        reasons=("not_json", "too_large"),
        deliveries=(("slack", "delivered"),),
        whys=("lag", "write"),
        version="1.2.3",
        policy="0123456789ab",
    )


_SNAPSHOT = EnvSnapshot(
    watermark=NOW,
    clocks={("response", 1): NOW},
    durations={("prod/ssoe", "5m", "0.95"): 1.25},
    error_budget_gone={SSOE: NOW},
)


def samples(page: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values in the order of the label names, without empty ones) -> value."""
    body, _ = page.render()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()) if value)): sample.value
        for family in parse_text(body.decode())
        for sample in family.samples
    }


def filled() -> Metrics:
    """A page on which each family has a series."""
    page = metrics()
    page.set_env("prod", _SNAPSHOT)
    page.set_rejected({})
    page.inputs.set({("keycloak-events", "accepted", ""): 1})
    page.set_producer_lags({0: 0})
    page.watch.set_blind(frozenset({"lag"}), {"prod": 3.0})
    page.watch.set_pending({"slack": 0}, {"slack": 0.0})
    page.receivers.expect(["slack"])
    return page


def test_the_names_and_labels_are_those_that_dashboards_rely_on() -> None:
    families = {
        family.name: set(family.samples[0].labels)
        for family in parse_text(filled().render()[0].decode())
        if family.name.startswith("watchofficer_")
    }
    by_scope = {"env", "auth_method", "csp", "client_id"}
    assert families == {
        "watchofficer_login_events": {"env", "auth_method", "csp", "result"},
        "watchofficer_events_rejected": {"reason"},
        "watchofficer_input_events": {"input", "result", "rule"},
        "watchofficer_events_with_personal_fields": set(),
        "watchofficer_events_lost": set(),
        "watchofficer_producer_lag_seconds": {"partition"},
        "watchofficer_success_ratio": by_scope | {"window"},
        "watchofficer_latency_ratio": by_scope | {"window"},
        "watchofficer_request_duration_seconds": {"env", "scope", "window", "quantile"},
        "watchofficer_users_impacted": by_scope,
        "watchofficer_users_impacted_relative_error": by_scope,
        "watchofficer_burn_rate": by_scope | {"window"},
        "watchofficer_error_budget_remaining_ratio": by_scope,
        "watchofficer_error_budget_gone_timestamp_seconds": by_scope,
        "watchofficer_incident_severity": by_scope,
        "watchofficer_incidents_open": {"env", "severity"},
        "watchofficer_response_deadline_timestamp_seconds": {"severity"},
        "watchofficer_covers_in_force": {"env", "kind"},
        "watchofficer_clock_due_timestamp_seconds": {"env", "severity", "clock"},
        "watchofficer_clock_left_seconds": {"env", "severity", "clock"},
        "watchofficer_watermark_timestamp_seconds": {"env"},
        "watchofficer_sink_deliveries": {"sink", "outcome"},
        "watchofficer_event_to_page_seconds": {"le"},
        "watchofficer_clock_offset_seconds": set(),
        "watchofficer_rejected_ratio": set(),
        "watchofficer_leases_lost": set(),
        "watchofficer_build_info": {"version", "python", "policy"},
        "watchofficer_unlisted": {"field"},
        "watchofficer_notices": {"kind"},
        "watchofficer_webhooks": {"door", "outcome"},
        "watchofficer_blind": {"why"},
        "watchofficer_evaluated_lag_seconds": {"env"},
        "watchofficer_loop_stall_seconds": {"le"},
        "watchofficer_sink_attempts": {"sink", "answer"},
        "watchofficer_sink_circuit": {"sink", "state"},
        "watchofficer_sink_held_seconds": {"sink"},
        "watchofficer_sink_pending": {"sink"},
        "watchofficer_sink_oldest_pending_seconds": {"sink"},
    }
    listed = dict(re.findall(r"^\| `(watchofficer_\w+)` \| ([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE))
    told = {
        name.removesuffix("_total"): set(re.findall(r"`(\w+)`", labels))
        | (by_scope if "*scope*" in labels else set())
        for name, labels in listed.items()
    }
    assert told == families


def test_counters_and_people_start_at_zero_and_ratios_at_nan() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot())
    page.set_rejected({})
    seen = samples(page)
    events = [v for (name, _), v in seen.items() if name == "watchofficer_login_events_total"]
    assert events == [0] * (len(METHODS) * (len(CSPS) + 1) * len(RESULTS))
    for scope in (("prod",), *((method, "prod") for method in METHODS)):
        assert seen["watchofficer_users_impacted", scope] == 0
        assert seen["watchofficer_users_impacted_relative_error", scope] == 0
        assert seen["watchofficer_incident_severity", scope] == 0
        assert math.isnan(seen["watchofficer_error_budget_remaining_ratio", scope])
        for window in ("5m", "15m", "1h"):
            assert math.isnan(seen["watchofficer_success_ratio", (*scope, window)])
            assert math.isnan(seen["watchofficer_latency_ratio", (*scope, window)])
        for window in ("5m", "1h"):
            assert math.isnan(seen["watchofficer_burn_rate", (*scope, window)])
    assert [seen["watchofficer_incidents_open", ("prod", s)] for s in "123"] == [0, 0, 0]
    assert seen["watchofficer_events_rejected_total", ("not_json",)] == 0
    assert seen["watchofficer_sink_deliveries_total", ("delivered", "slack")] == 0
    assert seen["watchofficer_event_to_page_seconds_count", ()] == 0
    assert seen["watchofficer_events_lost_total", ()] == 0


def test_notices_and_unlisted_values_are_counted_over_all_environments_and_never_less() -> None:
    page = metrics()

    def counted() -> tuple[float, float]:
        seen = samples(page)
        notices, unlisted = "watchofficer_notices_total", "watchofficer_unlisted_total"
        return seen[notices, ("new_value",)], seen[unlisted, ("step",)]

    assert counted() == (0, 0)
    page.set_env("prod", EnvSnapshot(notices={"new_value": 1}, unlisted={"step": 7}))
    page.set_env("dev", EnvSnapshot(unlisted={"step": 2}))
    page.set_env("prod", EnvSnapshot(notices={"new_value": 1}, unlisted={"step": 6}))
    assert counted() == (1, 9)
    page.forget_env("prod")
    assert counted() == (1, 9)


def test_durations_are_told_by_scope_window_and_quantile_where_they_are_known() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(durations={("prod/*/idme", "1h", "0.99"): 2.5}))
    name = "watchofficer_request_duration_seconds"
    found = {key: value for key, value in samples(page).items() if key[0] == name}
    assert found == {(name, ("prod", "0.99", "prod/*/idme", "1h")): 2.5}


def test_events_with_personal_fields_are_counted_by_who_answers_for_the_rejected() -> None:
    page = metrics()
    name = "watchofficer_events_with_personal_fields_total"
    assert (name, ()) not in samples(page)
    for count in (0, 3, 2):
        page.set_rejected({}, count)
    assert samples(page)[name, ()] == 3
    page.forget_rejected()
    assert (name, ()) not in samples(page)


def test_events_that_were_lost_are_counted() -> None:
    page = metrics()
    for count in (0, 7, 7):
        page.set_lost(count)
    assert samples(page)["watchofficer_events_lost_total", ()] == 7


def test_a_slow_producer_is_named_by_its_partition_for_as_long_as_it_is_read_here() -> None:
    page = metrics()
    page.set_producer_lags({0: 61_500, 3: 0})
    name = "watchofficer_producer_lag_seconds"
    assert {key: value for key, value in samples(page).items() if key[0] == name} == {
        (name, ("0",)): 61.5,
        (name, ("3",)): 0.0,
    }
    page.set_producer_lags({})
    assert not any(seen == name for seen, _ in samples(page))


def test_owning_an_environment_again_keeps_what_is_known_of_it() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(events={BAD: 7}))
    page.set_env("prod", EnvSnapshot())
    assert samples(page)["watchofficer_login_events_total", ("ssoe", "idme", "prod", "bad")] == 7


def test_values_are_replaced_not_added() -> None:
    page = metrics()
    for count in (7, 7, 9):
        page.set_env("prod", EnvSnapshot(events={BAD: count}, users_impacted={SSOE: count}))
    seen = samples(page)
    assert seen["watchofficer_login_events_total", ("ssoe", "idme", "prod", "bad")] == 9
    assert seen["watchofficer_users_impacted", ("ssoe", "prod")] == 9


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_a_counter_never_goes_down_while_it_is_exported(counts: list[int]) -> None:
    page = metrics()
    shown = []
    for count in counts:
        page.set_env("prod", EnvSnapshot(events={BAD: count}))
        page.set_rejected({"not_json": count})
        seen = samples(page)
        shown.append(seen["watchofficer_login_events_total", ("ssoe", "idme", "prod", "bad")])
        assert seen["watchofficer_events_rejected_total", ("not_json",)] == shown[-1]
    assert shown == sorted(shown)
    assert shown[-1] == max(counts)


def test_an_environment_that_is_lost_leaves_the_page_and_starts_anew_when_it_comes_back() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(events={BAD: 7}, watermark=NOW))
    page.set_env("staging", EnvSnapshot())
    page.forget_env("prod")
    page.forget_env("dev")
    assert not any("prod" in labels for _, labels in samples(page))
    page.set_env("prod", EnvSnapshot(events={BAD: 3}))
    assert samples(page)["watchofficer_login_events_total", ("ssoe", "idme", "prod", "bad")] == 3


def test_only_the_worker_that_answers_for_the_rejected_shows_them() -> None:
    page = metrics()
    page.set_rejected({"not_json": 7})
    page.forget_rejected()
    assert not any(name == "watchofficer_events_rejected_total" for name, _ in samples(page))
    page.set_rejected({"not_json": 3})
    assert samples(page)["watchofficer_events_rejected_total", ("not_json",)] == 3


def test_instants_are_in_seconds_and_only_there_when_there_is_one() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot())
    names = {name for name, _ in samples(page)}
    assert "watchofficer_watermark_timestamp_seconds" not in names
    assert "watchofficer_response_deadline_timestamp_seconds" not in names
    page.set_env(
        "prod",
        EnvSnapshot(
            watermark=NOW + 500,
            clocks={("response", 1): NOW + 9000, ("response", 3): NOW, ("update", 1): NOW},
        ),
    )
    page.set_env("staging", EnvSnapshot(clocks={("response", 3): NOW - 1000}))
    seen = samples(page)
    assert seen["watchofficer_watermark_timestamp_seconds", ("prod",)] == NOW / 1000 + 0.5
    assert seen["watchofficer_response_deadline_timestamp_seconds", ("1",)] == NOW / 1000 + 9
    assert seen["watchofficer_response_deadline_timestamp_seconds", ("3",)] == NOW / 1000 - 1
    left = {key: value for (name, key), value in seen.items() if name == "watchofficer_clock_left_seconds"}
    assert (left["response", "prod", "1"], left["update", "prod", "1"]) == (8.5, -0.5)


def test_a_ratio_that_is_unknown_is_nan_and_one_that_is_known_is_itself() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(success_ratio={(SSOE, "5m"): 0.25, (SIS, "5m"): None}))
    seen = samples(page)
    assert seen["watchofficer_success_ratio", ("ssoe", "prod", "5m")] == 0.25
    assert math.isnan(seen["watchofficer_success_ratio", ("sis", "prod", "5m")])


def test_rejections_and_deliveries_of_kinds_unheard_of_are_shown_too() -> None:
    page = metrics()
    page.set_rejected({"new_reason": 2})
    page.count_delivery("pagerduty", "dead")
    page.count_delivery("pagerduty", "dead", 2)
    seen = samples(page)
    assert seen["watchofficer_events_rejected_total", ("new_reason",)] == 2
    assert seen["watchofficer_sink_deliveries_total", ("dead", "pagerduty")] == 3


def test_the_time_from_event_to_page_has_the_incident_as_its_exemplar() -> None:
    page = metrics()
    page.observe_event_to_page(4.5, "prod-7")
    page.observe_event_to_page(-0.5, "prod-8")
    body, content_type = page.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]
    (family,) = [f for f in families if f.name == "watchofficer_event_to_page_seconds"]
    exemplars = {
        sample.labels["le"]: (
            sample.exemplar.labels["incident"],
            sample.exemplar.value,
            float(sample.exemplar.timestamp or 0),
        )
        for sample in family.samples
        if sample.exemplar
    }
    assert exemplars == {"5.0": ("prod-7", 4.5, NOW / 1000), "1.0": ("prod-8", 0.0, NOW / 1000)}
    assert {s.labels["le"]: s.value for s in family.samples if "le" in s.labels}["+Inf"] == 2


@given(st.text(alphabet="aplictonexmr/-; =,.0123456789versq*", max_size=80))
def test_any_accept_header_gets_a_page(accept: str) -> None:
    body, content_type = metrics().render(accept)
    assert b"watchofficer_build_info" in body
    assert content_type.startswith(("text/plain", "application/openmetrics-text"))


def test_a_version_that_is_no_number_gets_the_text_format() -> None:
    assert metrics().render("text/plain; version=one")[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_nothing_but_our_series_and_those_of_the_process_is_on_the_page() -> None:
    prefixes = {family.name.split("_")[0] for family in parse_text(metrics().render()[0].decode())}
    assert prefixes == {"watchofficer", "process", "python"}


def test_a_scope_has_a_label_for_each_axis_and_leaves_the_page_when_it_ends() -> None:
    page = metrics()
    narrow = ("sis", "", "vaweb")
    page.set_env("prod", EnvSnapshot(users_impacted={PROD: 9, IDME: 4, narrow: 5}, severity={narrow: 2}))
    name = "watchofficer_users_impacted"
    (family,) = [f for f in parse_text(page.render()[0].decode()) if f.name == name]
    held = {
        tuple(one.labels[label] for label in ("auth_method", "csp", "client_id")) for one in family.samples
    }
    assert held == {PROD, SSOE, SIS, IDME, narrow}
    assert samples(page)[name, ("prod",)] == 9
    assert samples(page)["watchofficer_incident_severity", ("sis", "vaweb", "prod")] == 2
    page.set_env("prod", EnvSnapshot(users_impacted={PROD: 9}))
    assert {key for seen, key in samples(page) if seen == name} == {
        ("prod",),
        ("ssoe", "prod"),
        ("sis", "prod"),
    }


AXES_OF_POLICIES = st.lists(
    st.one_of(
        st.sampled_from(["window", "axis_window", "le", "job", "__name__", "_", "quantile", "auth_method"]),
        st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,9}", fullmatch=True),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(AXES_OF_POLICIES)
def test_the_axes_of_any_policy_are_legal_labels_and_differ_from_all_others(axes: list[str]) -> None:
    labels = scope_labels(axes)
    assert len(set(labels)) == len(axes)
    assert not {"env", "window", "quantile", "le", "job", "instance"} & set(labels)
    assert all(re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", label) for label in labels)
    page = Metrics(clock=lambda: NOW, axes=axes, methods=METHODS, version="1", policy="0")
    scope = tuple(f"v{n}" for n in range(len(axes)))
    page.set_env("prod", EnvSnapshot(success_ratio={(scope, "5m"): 0.5}, severity={scope: 3}))
    (family,) = [
        f for f in parse_text(page.render()[0].decode()) if f.name == "watchofficer_incident_severity"
    ]
    assert {"env": "prod", **dict(zip(labels, scope, strict=True))} in [one.labels for one in family.samples]


@needs_promtool
def test_promtool_finds_nothing_to_mend_on_the_page() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(events={BAD: 7}, watermark=NOW, clocks={("response", 1): NOW}))
    page.set_env("dev", EnvSnapshot(durations={("dev/ssoe", "5m", q): 2.0 for q in ("0.95", "0.99")}))
    page.observe_event_to_page(4.5, "prod-7")
    done = subprocess.run(["promtool", "check", "metrics"], input=page.render()[0], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_events_without_a_provider_have_a_label_of_their_own() -> None:
    page = metrics()
    page.set_env("prod", EnvSnapshot(events={("sis", NO_CSP, "good"): 4}))
    assert samples(page)["watchofficer_login_events_total", ("sis", "none", "prod", "good")] == 4
