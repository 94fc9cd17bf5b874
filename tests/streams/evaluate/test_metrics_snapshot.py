"""What Prometheus is told of an environment: taken from its engine, the same after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.incidents import IncidentInput
from detectors.instants import HOUR, SECOND
from detectors.lifecycle.response_times import alert_deadline, deadline
from detectors.policy.policy import Policy
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.metrics_snapshot import Snapshots
from streams.evaluate.shard import Shard
from streams.settings.policy_file import default_policy, read_policy

POLICY = default_policy()
START = 1_795_435_200_000
END = START + 600 * SECOND
PROD, SSOE, SIS = ("", "", ""), ("ssoe", "", ""), ("sis", "", "")


def row(pane: int, step: str, outcome: str, ms: float, method: str = "ssoe", code: str = "") -> FactRow:
    kind = ((method, "idme", None), step, outcome, code, "")
    people = [pane] if outcome == "failure" else []
    return FactRow(pane, ON_TIME, *kind, 1, 1, [int(ms >= 1200), int(ms >= 2430)], people, {bucket(ms): 1})


def rows() -> list[FactRow]:
    out = []
    for n in range(600):
        pane = START + n * SECOND
        out.append(row(pane, "callback", "success", 3_000.0 if n % 10 == 0 else 400.0))
        # neither the start of a sign-in nor a session's request nor an error of the user's is a sign-in completed
        out += [row(pane, "new", "started", 9_000), row(pane, "refresh", "success", 9_000, "sis")]
        out.append(row(pane, "callback", "failure", 9_000, code="001"))
    return out


def shard(policy: Policy = POLICY) -> Shard:
    def make(env: str) -> Engine:
        return Engine(env, policy, History(env), sli_every=policy.sli_every, durations=True)

    return Shard(0, ("prod",), Evaluator(policy, make), 0)


def test_quantiles_of_durations_are_those_of_completed_sign_in_requests() -> None:
    one = shard()
    engine = one.engine("prod")
    assert Snapshots().take(one, "prod").durations == {}
    engine.advance(END, rows())
    found = Snapshots().take(one, "prod").durations
    for scope in ("prod", "prod/ssoe", "prod/ssoe/idme", "prod/*/idme"):
        for window in ("5m", "15m", "1h"):
            assert found[scope, window, "0.5"] == pytest.approx(0.4, rel=0.011)
            assert found[scope, window, "0.95"] == pytest.approx(3.0, rel=0.011)
            assert found[scope, window, "0.99"] == pytest.approx(3.0, rel=0.011)
    assert {scope for scope, _, _ in found} == {"prod", "prod/ssoe", "prod/ssoe/idme", "prod/*/idme"}


def test_they_are_the_same_after_a_restart_at_the_next_time_they_are_told() -> None:
    calm, early = shard().engine("prod"), shard().engine("prod")
    until = START + 305 * SECOND
    calm.advance(END, rows())
    early.advance(until, [one for one in rows() if one.pane < until])
    again = Engine(
        "prod", POLICY, History("prod"), state=early.state(), sli_every=POLICY.sli_every, durations=True
    )
    again.restore([one for one in rows() if one.pane < until], START)
    again.advance(END, [one for one in rows() if one.pane >= until])
    for window in POLICY.sli_windows:
        before, after = calm.quantiles(window), again.quantiles(window)
        assert before is not None
        assert after is not None
        assert before.tobytes() == after.tobytes()


def test_where_durations_are_not_kept_none_are_told() -> None:
    engine = Engine("prod", POLICY, History("prod"), sli_every=POLICY.sli_every)
    engine.advance(END, rows())
    assert engine.quantiles(POLICY.sli_windows[0]) is None


def failing(method: str, csp: str, seconds: range) -> list[FactRow]:
    """Three sign-ins a second fail, each of another person."""
    out = []
    for n in seconds:
        for k in range(3):
            kind = ((method, csp, None), "callback", "failure", f"007{k}", "")
            out.append(FactRow(START + n * SECOND, ON_TIME, *kind, 1, 0, [0, 0], [3 * n + k], {}))
    return out


def succeeding(seconds: range) -> list[FactRow]:
    leaves = [(method, csp, None) for method in ("ssoe", "sis") for csp in ("idme", "logingov")]
    return [
        FactRow(START + n * SECOND, ON_TIME, leaf, "callback", "success", "", "", 2, 0, [0, 0], [], {})
        for n in seconds
        for leaf in leaves
    ]


def test_what_a_provider_has_caused_is_told_of_in_no_account_also_after_its_end_and_a_restart() -> None:
    one = shard()
    engine = one.engine("prod")
    facts = sorted(
        [*succeeding(range(4_800)), *failing("ssoe", "idme", range(600, 1_200))], key=lambda r: r.pane
    )
    during, after = START + 1_200 * SECOND, START + 4_800 * SECOND
    engine.advance(during, [r for r in facts if r.pane < during])
    assert [(e.scope, e.why) for e in engine.exclusions()] == [("prod/ssoe/idme", "csp")]
    engine.advance(after, [r for r in facts if r.pane >= during])
    assert engine.lifecycle.incidents() == (), "it is closed"
    (caused,) = engine.exclusions()
    assert caused.start == START + 600 * SECOND
    assert START + 1_200 * SECOND < caused.end < START + 1_800 * SECOND
    told = Snapshots().take(one, "prod")
    assert set(told.error_budget_remaining.values()) == {1.0}
    assert told.error_budget_gone == {}
    again = Engine("prod", POLICY, History("prod"), state=engine.state())
    assert again.exclusions() == [caused]


def test_what_a_method_fails_by_itself_spends_its_budget() -> None:
    one = shard()
    engine = one.engine("prod")
    facts = [
        *succeeding(range(3_000)),
        *(f for c in ("idme", "logingov", "mhv") for f in failing("ssoe", c, range(600, 1_200))),
    ]
    engine.advance(START + 3_000 * SECOND, facts)
    told = Snapshots().take(one, "prod")
    left = told.error_budget_remaining[SSOE]
    assert left is not None
    assert left < 1
    assert told.error_budget_remaining[SIS] == 1.0
    assert SSOE in told.error_budget_gone


def test_notices_of_an_environment_are_counted_by_kind_each_once() -> None:
    engines: dict[str, Engine] = {}

    def make(env: str) -> Engine:
        return engines.setdefault(env, Engine(env, POLICY, History(env), sli_every=POLICY.sli_every))

    evaluator = Evaluator(POLICY, make)
    one = Shard(0, ("prod",), evaluator, 0)
    new = [
        FactRow(START + n * SECOND, ON_TIME, ("sis", "newcomer", None), "callback", "success", "", "", 1)
        for n in range(600)
    ]
    assert Snapshots().take(one, "prod").notices == {}
    evaluator.add({"prod": new})
    for minute in range(1, 11):
        evaluator.advance(START + minute * 60 * SECOND)
    assert Snapshots().take(one, "prod").notices == {"new_value": 1}


def one(leaf: Sequence[str | None], good: bool, person: int = 0, at: int = START) -> FactRow:
    outcome = ("success", "", []) if good else ("failure", "007", [person])
    return FactRow(
        at, ON_TIME, tuple(leaf), "callback", outcome[0], outcome[1], "", 1, 0, [0, 0], outcome[2], {}
    )


LEAVES = st.tuples(
    st.sampled_from(["sis", "ssoe", "passkey"]),
    st.sampled_from(["idme", "clear", None]),
    st.sampled_from(["vaweb", "vamobile", None]),
)


@settings(max_examples=30)
@given(st.lists(st.tuples(LEAVES, st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_scopes_of_at_most_two_values_say_what_their_events_say(
    events: list[tuple[tuple[str | None, ...], bool, int]],
) -> None:
    held = shard()
    held.engine("prod").advance(START + SECOND, [one(*event) for event in events])
    told = Snapshots().take(held, "prod")
    found: dict[tuple[str, ...], list[tuple[bool, int]]] = {}
    for leaf, good, person in events:
        for scope in product(*(("", value) if value else ("",) for value in leaf)):
            if sum(map(bool, scope)) <= 2:
                found.setdefault(scope, []).append((good, person))
    listed = {(method, "", "") for method in POLICY.values_of("auth_method")}
    assert set(told.severity) == set(told.users_impacted) == set(found) | listed
    for scope, some in found.items():
        ratio = sum(good for good, _ in some) / len(some)
        assert {told.success_ratio[scope, window] for window in ("5m", "15m", "1h")} == {ratio}
        assert told.users_impacted[scope] == len({person for good, person in some if not good})
        budget = 1 - min(
            one.availability
            for method, one in POLICY.objectives.items()
            if scope[0] in ("", method) or scope[0] not in POLICY.objectives
        )
        if scope[0] != "passkey":
            assert told.burn_rate[scope, "1h"] == pytest.approx((1 - ratio) / budget)


def test_a_scope_that_ends_has_gauges_no_more() -> None:
    held, snapshots = shard(), Snapshots()
    engine = held.engine("prod")
    engine.advance(START + SECOND, [one(("sis", "clear", "vaweb"), True)])
    seen = snapshots.take(held, "prod")
    assert {("", "clear", ""), ("", "clear", "vaweb"), ("sis", "", "vaweb")} <= set(seen.users_impacted)
    later = [one(("sis", "idme", None), True, at=START + n * 60 * SECOND) for n in range(1, 180)]
    engine.advance(START + 3 * HOUR, later)
    seen = snapshots.take(held, "prod")
    gauges = (seen.users_impacted, seen.severity, seen.error_budget_remaining)
    named = {scope for gauge in gauges for scope in gauge} | {scope for scope, _ in seen.success_ratio}
    named |= {scope for scope, _ in seen.burn_rate}
    assert {scope for scope in named if "clear" in scope or "vaweb" in scope} == set()
    assert ("sis", "idme", "") in named


def test_an_incident_shows_on_all_scopes_that_it_touches() -> None:
    held = shard()
    clients = [
        one(leaf, True, at=START + n * SECOND)
        for n in range(900)
        for leaf in (("ssoe", "idme", "vaweb"), ("sis", "idme", "vamobile"))
    ]
    facts = [*succeeding(range(900)), *clients, *failing("ssoe", "idme", range(600, 900))]
    facts.sort(key=lambda row: row.pane)
    held.engine("prod").advance(START + 900 * SECOND, facts)
    taken = Snapshots().take(held, "prod")
    told = taken.severity
    (incident,) = held.engine("prod").lifecycle.incidents()
    assert incident.pages
    assert taken.clocks == {
        ("response", incident.severity): deadline(incident.opened_at, incident.severity, POLICY),
        ("alert", incident.severity): alert_deadline(incident.opened_at, POLICY),
        ("update", incident.severity): incident.process.next_update_at,
    }
    assert incident.scope == "prod/ssoe/idme"
    assert {("sis", "", ""), ("sis", "idme", ""), ("", "", "vaweb"), ("", "", "vamobile")} <= set(told)
    assert {scope for scope, level in told.items() if level} == {
        PROD,
        SSOE,
        ("", "idme", ""),
        ("ssoe", "idme", ""),
        ("", "", "vaweb"),
        ("ssoe", "", "vaweb"),
        ("", "idme", "vaweb"),
    }


def test_no_more_scopes_have_gauges_than_the_policy_allows_and_the_widest_come_first() -> None:
    policy = read_policy("max_scopes: 5", "p.yaml")
    held = shard(policy)
    leaves = [("sis", csp, client) for csp in "abcd" for client in "efgh"]
    held.engine("prod").advance(START + SECOND, [one(leaf, True) for leaf in leaves])
    told = set(Snapshots().take(held, "prod").severity)
    listed = {(method, "", "") for method in policy.values_of("auth_method")}
    assert PROD in told
    assert len(told - listed) <= 5


def test_the_axes_are_those_of_the_policy() -> None:
    policy = read_policy("axes: [region, auth_method]", "p.yaml")
    held = shard(policy)
    held.engine("prod").advance(START + SECOND, [one(("east", "sis"), False)])
    told = Snapshots().take(held, "prod")
    listed = {("", method) for method in policy.values_of("auth_method")}
    assert set(told.users_impacted) - listed == {("", ""), ("east", ""), ("east", "sis")}
    assert told.users_impacted["east", "sis"] == 1
    assert told.success_ratio[("east", ""), "5m"] == 0


def test_maintenance_at_run_time_is_on_the_banner_and_in_force_from_its_beginning_to_its_end() -> None:
    evaluator = Evaluator(POLICY, lambda env: Engine(env, POLICY, History(env)))
    held = Shard(0, ("prod",), evaluator, 0)
    held.engine("prod").advance(START + SECOND, [one(("ssoe", "idme", None), True)])
    asked = IncidentInput(
        kind="maintain",
        id="1",
        env="prod",
        scope="prod/ssoe",
        text="patch",
        since=START + 20 * SECOND,
        until=START + 40 * SECOND,
    )
    changes, in_force = list[tuple[int, str, str]](), list[int]()
    for until, inputs in ((10, {"prod": [(START + 5 * SECOND, asked)]}), (30, {}), (50, {})):
        for verdict in evaluator.advance(START + until * SECOND, inputs):
            changes += [((verdict.result.at - START) // SECOND, b.key, b.state) for b in verdict.banners]
        in_force.append(Snapshots().take(held, "prod").in_force["maintenance"])
    assert changes == [(20, "prod/ssoe", "maintenance"), (40, "prod/ssoe", "ok")]
    assert in_force == [0, 1, 0]
