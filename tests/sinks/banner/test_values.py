"""Banners of values that a policy adds, names or retires, and of clients."""

from __future__ import annotations

from detectors.instants import format_instant
from sinks.banner.board import BannerBoard
from sinks.banner.keys import BannerKeys, Visitor
from sinks.banner.statuses import known, statuses
from streams.settings.policy_file import read_policy
from tests.sinks.banner.making import POLICY, T, banners, shown
from tests.sinks.samples import incident

RETIRES = read_policy(
    f"values: {{auth_method: {{ssoe: {{retired: {format_instant(T)}}}}},"
    f" csp: {{idme: {{retired: {format_instant(T)}}}, clear: {{banner: clear}}}}}}",
    "policy.yaml",
)


def test_what_has_retired_has_no_banner_from_that_instant_on() -> None:
    before, after = BannerKeys(RETIRES).of_env("prod", T - 1), BannerKeys(RETIRES).of_env("prod", T)
    assert {"prod/ssoe", "prod/ssoe/idme", "prod/sis/idme"} <= set(before)
    assert after == ("prod/sis", "prod/mvi", "prod/sis/logingov", "prod/sis/clear")
    assert [shown({}, None, at, RETIRES) for at in (T - 1, T)] == [
        dict.fromkeys(["idme", "logingov", "clear", "mvi", "sis", "ssoe"], "active"),
        dict.fromkeys(["logingov", "clear", "mvi", "sis"], "active"),
    ]


def test_a_banner_that_stands_as_its_value_retires_comes_down() -> None:
    given = [incident(scope="prod/ssoe")]
    first = banners("prod", given, T - 1000, RETIRES)
    assert first["prod/ssoe"].state == "critical"
    second = banners("prod", given, T, RETIRES, first)
    assert (second["prod/ssoe"].state, second["prod/ssoe"].title) == ("ok", "")
    assert "prod/ssoe" not in banners("prod", given, T + 1000, RETIRES, second)


def test_the_key_of_a_client_comes_with_its_incident_and_ends_as_ok() -> None:
    board, key = BannerBoard("prod", POLICY), "prod/sis/*/vaweb"
    board.update(T, [incident(scope=key)])
    assert {banner.key: banner.state for banner in board.shown() if banner.state != "ok"} == {key: "critical"}
    changed = board.update(T + 1000, [])
    assert [(banner.key, banner.state) for banner in changed] == [(key, "ok")]
    assert board.update(T + 2000, []) == []
    assert key not in {banner.key for banner in board.shown()}


def test_a_client_sees_what_fails_for_it_alone_and_others_do_not() -> None:
    given = [
        incident(scope="prod/sis/*/vamobile"),
        incident(id="prod-8", scope="prod/*/idme/vamobile", severity=2),
    ]
    made = banners("prod", given, T)
    fine = {"idme": "active", "logingov": "active", "mvi": "active"}
    assert shown(made, "sis") == {**fine, "sis": "active"}
    assert shown(made, "sis", client="vaweb") == shown(made, "sis", client="nobody") == shown(made, "sis")
    assert shown(made, "sis", client="vamobile") == {**fine, "idme": "warning", "sis": "critical"}
    assert shown(made, "ssoe", client="vamobile") == {**fine, "idme": "warning", "ssoe": "active"}
    assert shown(made, None, client="vamobile")["sis"] == "critical"


def test_without_a_client_that_of_the_policy_counts() -> None:
    made = banners("prod", [incident(scope="prod/*/*/vaweb")], T)
    assert shown(made, None) == shown(made, None, client="vaweb")
    assert shown(made, None)["sis"] == shown(made, None)["ssoe"] == "critical"
    assert shown(made, None, client="vamobile")["sis"] == "active"


def test_names_and_ids_are_those_of_the_policy() -> None:
    policy = read_policy(
        "values: {auth_method: {okta: {name: Okta, banner: okta_id}}, csp: {clear: {name: CLEAR, banner: clear_id}}}",
        "policy.yaml",
    )
    made = banners(
        "prod", [incident(scope="prod/*/clear"), incident(id="prod-8", scope="prod/okta")], T, policy
    )
    assert made["prod/okta/clear"].title == "You may have trouble signing in with CLEAR"
    body = statuses(policy, known(made.values(), T, "prod"), Visitor("okta"))["data"]["attributes"][
        "statuses"
    ]
    assert [(one["service"], one["service_id"], one["status"]) for one in body] == [
        ("ID.me", "idme", "active"),
        ("Login.gov", "logingov", "active"),
        ("CLEAR", "clear_id", "critical"),
        ("MVI", "mvi", "active"),
        ("Okta", "okta_id", "critical"),
    ]


def test_axes_without_methods_or_in_another_order_leave_no_list_empty() -> None:
    for axes in (("client_id",), ("csp",), ("csp", "auth_method"), ("acr",)):
        policy = POLICY.model_copy(update={"axes": axes})
        made = banners("prod", [incident(scope="prod")], T, policy)
        assert made["prod/mvi"].state == "critical"
        assert shown(made, None, policy=policy)["mvi"] == "critical"
    both = POLICY.model_copy(update={"axes": ("csp", "auth_method")})
    assert BannerKeys(both).of_scope("prod/idme", T) == ("prod/idme/sis", "prod/idme/ssoe")
