"""Which other way in the banner names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE
from sinks.banner.keys import Visitor
from sinks.banner.statuses import known, statuses
from tests.sinks.banner.making import POLICY, T, banners, policy_with, window
from tests.sinks.samples import incident

SCOPES = tuple(
    f"prod/{method}{csp}{client}".rstrip("/*")
    for method in ("ssoe", "sis", "*")
    for csp in ("/idme", "/logingov", "/*")
    for client in ("", "/vaweb", "/vamobile")
)
ALL_WELL = dict.fromkeys(SCOPES, 0.99)


def named(
    scope: str, visitor: Visitor, now: int = T, policy: object = POLICY, **success: float
) -> dict[str, list[str]]:
    """Service id -> ids of the alternatives, of the services that are not active. ``success``: scopes with _ for /."""
    made = banners("prod", [incident(scope=scope)] if scope else [], T)
    given = ALL_WELL | {key.replace("_", "/").replace("any", "*"): share for key, share in success.items()}
    body = statuses(policy, known(made.values(), now, "prod"), visitor, success=given)  # type: ignore[arg-type]
    return {
        one["service_id"]: [other["service_id"] for other in one["alternatives"]]
        for one in body["data"]["attributes"]["statuses"]
        if "alternatives" in one
    }


@pytest.mark.parametrize(
    ("scope", "visitor", "expected"),
    [
        ("prod/sis/idme", Visitor("sis"), {"idme": ["logingov", "ssoe"]}),
        ("prod/*/idme", Visitor("sis"), {"idme": ["logingov"]}),
        ("prod/*/idme", Visitor(), {"idme": ["logingov"]}),
        ("prod/ssoe", Visitor("ssoe", "idme"), {"ssoe": ["sis"]}),
        ("prod/sis/*/vamobile", Visitor("sis", None, "vamobile"), {"sis": ["ssoe"]}),
        ("prod/sis/*/vamobile", Visitor("sis", None, "vaweb"), {}),
        ("prod/ssoe", Visitor("sis"), {}),
    ],
)
def test_the_other_providers_and_methods_are_named_where_they_work(
    scope: str, visitor: Visitor, expected: dict[str, list[str]]
) -> None:
    assert named(scope, visitor) == expected


def test_a_way_whose_own_sign_ins_fail_or_are_too_few_to_tell_is_not_named() -> None:
    assert named("prod/*/idme", Visitor("sis"), prod_sis_logingov=0.94) == {"idme": []}
    assert named("prod/*/idme", Visitor("sis"), prod_sis_logingov_vaweb=0.94) == {"idme": []}
    assert named("prod/*/idme", Visitor("sis"), prod_sis_logingov_vamobile=0.94) == {"idme": ["logingov"]}
    made = banners("prod", [incident(scope="prod/*/idme")], T)
    body = statuses(POLICY, known(made.values(), T, "prod"), success={"prod/ssoe": 0.99})
    assert body["data"]["attributes"]["statuses"][0]["alternatives"] == []


def test_a_way_in_maintenance_is_not_named() -> None:
    policy = policy_with(window("prod/sis/logingov", T - MINUTE, T + MINUTE))
    assert named("prod/*/idme", Visitor("sis"), policy=policy)["idme"] == []


def test_what_is_no_longer_known_names_no_way() -> None:
    assert named("prod/*/idme", Visitor("sis"), now=T + 10 * MINUTE) == {"idme": []}


@given(
    st.sampled_from(["prod", "prod/ssoe", "prod/sis", "prod/*/idme", "prod/sis/idme", "prod/*/*/vaweb"]),
    st.builds(
        Visitor,
        st.sampled_from([None, "ssoe", "sis"]),
        st.sampled_from([None, "idme", "logingov"]),
        st.sampled_from([None, "vaweb", "vamobile"]),
    ),
    st.dictionaries(st.sampled_from(SCOPES), st.floats(0, 1)),
)
def test_nothing_is_named_on_which_a_banner_stands_too(
    scope: str, visitor: Visitor, success: dict[str, float]
) -> None:
    made = banners("prod", [incident(scope=scope)], T)
    body = statuses(POLICY, known(made.values(), T, "prod"), visitor, success=success)
    listed = body["data"]["attributes"]["statuses"]
    failing = {one["service_id"] for one in listed if one["status"] != "active"}
    for one in listed:
        assert ("alternatives" in one) == (one["status"] != "active")
        assert failing.isdisjoint(other["service_id"] for other in one.get("alternatives", ()))
        assert one["service_id"] != "mvi" or not one.get("alternatives")
