"""Who hears of an incident by the policy's routes, and what the receiver hears first and last."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.incidents import Command, Incident
from detectors.notification.plan import catch_up, plan
from detectors.notification.routes import IMPLIED, named_receivers, unheard
from detectors.policy.policy import PolicyError
from detectors.policy.routes import RECEIVER_KINDS
from tests.detectors.lifecycle.scenario import START, Heard, Scenario, policy
from tests.support.depth import examples

MINUTES = 60
HOURS = 3600


def routes(*lines: str) -> str:
    return "routes:\n" + "".join(f"- {line}\n" for line in lines)


def told(scenario: Scenario, heard: Heard, receiver: str) -> list[tuple[int, str, str, str]]:
    """(second, action, level, kind) of the commands for a receiver."""
    return [
        ((c.at - START) // 1000, c.action, c.level, c.kind)
        for transition in heard.transitions
        for c in plan(transition, scenario.policy, frozenset({receiver}))
    ]


def outage(rules: str, *, env: str = "prod", scope: str = "prod/ssoe", people: int = 60) -> Scenario:
    scenario = Scenario(policy(rules), env=env)
    scenario.at(0).fires(scope, people=people)
    return scenario


def test_a_receiver_that_no_route_names_hears_of_production() -> None:
    scenario = outage("{}")
    scenario.at(300).quiet()
    heard = scenario.play(until=1500)
    for receiver in IMPLIED:
        assert [action for _, action, *_ in told(scenario, heard, receiver)][::99] == ["open"]
    assert told(scenario, heard, "email")[-1][1:] == ("resolve", "ok", "resolved")
    assert told(scenario, heard, "statuspage") == told(scenario, heard, "email:leadership") == []


def test_no_route_and_no_production_means_no_message() -> None:
    scenario = outage("{}", env="staging", scope="staging/ssoe")
    heard = scenario.play(until=600)
    assert heard.transitions
    assert all(told(scenario, heard, receiver) == [] for receiver in IMPLIED)


def test_a_list_for_severity_1_hears_of_a_rise_as_of_an_opening_and_of_the_end_though_it_has_fallen() -> None:
    scenario = outage(routes("{match: {severity: 1}, receivers: [email:leadership]}"))
    scenario.at(100).hits(2000)
    scenario.at(300).hits(60)
    scenario.at(1800).quiet()
    heard = scenario.play(until=4000)
    said = told(scenario, heard, "email:leadership")
    assert [(second, action, kind) for second, action, _, kind in said if action != "update"] == [
        (100, "open", "severity"),
        (heard.when("resolved")[0], "resolve", "resolved"),
    ]
    assert heard.transitions[-1].incident.severity == 2 or heard.last("resolved").incident.severity == 2


@pytest.mark.parametrize(
    ("match", "hears"),
    [
        ("{}", True),
        ("{env: prod}", True),
        ("{env: [staging, dev]}", False),
        ("{scope: prod/ssoe}", True),
        ("{scope: prod}", True),
        ("{scope: prod/*/idme}", True),
        ("{scope: prod/sis}", False),
        ("{severity: [2, 3]}", True),
        ("{severity: 1}", False),
        ("{cause: outage}", True),
        ("{cause: latency}", False),
        ("{kind: [opened]}", True),
        ("{kind: declared}", False),
        ("{hours: business}", True),
        ("{hours: outside}", False),
        ("{env: prod, scope: prod/ssoe, severity: 2, cause: [outage, silence], hours: business}", True),
        ("{env: prod, severity: 1}", False),
    ],
)
def test_all_fields_of_a_route_must_match(match: str, hears: bool) -> None:
    scenario = outage(routes(f"{{match: {match}, receivers: teams}}"))
    heard = scenario.play(until=0)
    assert [action for _, action, *_ in told(scenario, heard, "teams")] == ["open"] * hears


def test_whose_hours_begin_later_hears_then_that_it_is_open() -> None:
    start = START - 2 * HOURS * 1000  # 08:00 in New York
    scenario = Scenario(policy(routes("{match: {hours: business}, receivers: teams}")), start=start)
    scenario.at(0).fires("prod/ssoe", people=2000)
    heard = scenario.play(until=3 * HOURS)
    first = told(scenario, heard, "teams")[0]
    assert first[1] == "open"
    assert -1 * HOURS <= first[0] <= -1 * HOURS + 30 * MINUTES


def test_slowness_and_surges_reach_only_who_asks_for_them() -> None:
    scenario = Scenario(
        policy(
            routes("{match: {cause: surge}, receivers: webhook:trends}", "{match: {}, receivers: [teams]}")
        )
    )
    scenario.at(0).fires("prod/ssoe", detector="surge", people=60)
    scenario.at(300).fires("prod/ssoe", detector="outage")
    heard = scenario.play(until=600)
    assert told(scenario, heard, "webhook:trends")[0][:2] == (0, "open")
    assert told(scenario, heard, "teams")[0][:2] == (300, "open")


def test_maintenance_is_not_told_until_it_is_over() -> None:
    window = (
        "{scope: prod/ssoe, start: 2026-11-23T14:50:00Z, end: 2026-11-23T15:10:00Z, description: patching}"
    )
    scenario = outage(f"maintenance:\n- {window}\n")
    heard = scenario.play(until=1200)
    assert heard.when("opened") == [0]
    assert told(scenario, heard, "email")[0][:2] == (600, "open")


def test_the_changes_that_reach_a_receiver_are_those_of_its_kind() -> None:
    scenario = outage(routes("{match: {}, receivers: [email, teams, statuspage, webhook, alertmanager]}"))
    scenario.at(100).asks("acknowledge", "prod-1")
    scenario.at(200).asks("note", "prod-1", text="a certificate ended")
    scenario.at(300).asks("declare", "prod-1")
    scenario.at(400).hits(2000)
    scenario.at(500).quiet()
    heard = scenario.play(until=2000)
    kinds = {
        receiver: [kind for _, _, _, kind in told(scenario, heard, receiver)] for receiver in RECEIVER_KINDS
    }
    both = ["opened", "declared", "severity", "resolved"]
    assert kinds["email"] == both
    assert [kind for kind in kinds["teams"] if kind not in both] == ["acknowledged", "note", "recovering"]
    assert [kind for kind in kinds["statuspage"] if kind not in both] == ["recovering"]
    assert [kind for kind in kinds["webhook"] if kind not in both] == ["acknowledged", "note", "recovering"]
    assert [kind for kind in kinds["alertmanager"] if kind not in both] == ["acknowledged", "recovering"]


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ("{match: {}, receivers: [e-mail]}", "did you mean email?"),
        ("{match: {}, receivers: ['email:Lead ers']}", "must be a receiver"),
        ("{match: {}, receivers: ['slack:other']}", "must be a receiver"),
        ("{match: {}, receivers: []}", "receivers"),
        ("{match: {severity: 4}, receivers: [email]}", "must be a severity"),
        ("{match: {hours: night}, receivers: [email]}", "hours"),
        ("{match: {kind: opning}, receivers: [email]}", "kind"),
        ("{match: {scope: prod/ssoe/idmee}, receivers: [email]}", "idme"),
        ("{receivers: [email], when: always}", "when"),
    ],
)
def test_a_route_that_means_nothing_is_refused_with_its_place(route: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy(routes(route))
    assert says in str(refused.value)
    assert "routes" in str(refused.value)


def test_the_receivers_of_a_policy_are_those_of_its_routes() -> None:
    text = routes("{match: {}, receivers: [slack, email:on-call]}", "{receivers: [teams]}")
    assert named_receivers(policy(text)) == {"email:on-call", "teams"}


def test_who_hears_nothing_is_said() -> None:
    on = frozenset({"pagerduty", "slack", "teams", "statuspage", "email:desk", "webhook:hr"})
    rules = policy(routes("{match: {env: prod}, receivers: [slack, 'email:desk', 'email:leadership']}"))
    assert unheard(rules, on) == (
        "a route of the policy names email:leadership, which is not set up: it hears nothing",
        "statuspage is set up, and no route of the policy names it: it hears nothing",
        "webhook:hr is set up, and no route of the policy names it: it hears nothing",
    )
    assert unheard(policy("{}"), frozenset({"pagerduty", "teams", "email"})) == ()


_ROUTED = policy(
    routes(
        "{match: {severity: 1}, receivers: [email:leadership]}",
        "{match: {severity: [1, 2], scope: prod/sis}, receivers: [webhook:sis, teams]}",
        "{match: {kind: [declared, severity]}, receivers: [email:desk]}",
        "{match: {env: prod}, receivers: [statuspage, alertmanager]}",
    )
)
_RECEIVERS = named_receivers(_ROUTED)
_ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("fires"), st.sampled_from(["prod", "prod/ssoe", "prod/sis", "prod/*/idme"])),
        st.tuples(st.just("quiet")),
        st.tuples(st.just("hits"), st.sampled_from([0, 20, 60, 900, 1500, 50_000])),
        st.tuples(
            st.just("asks"),
            st.sampled_from(["acknowledge", "unacknowledge", "note", "declare", "resolve"]),
            st.just("prod-1"),
        ),
        st.tuples(st.just("waits"), st.sampled_from([1, 3, 10, 31, 62, 130])),
    ),
    max_size=20,
)


def _played(actions: list[tuple[object, ...]]) -> Heard:
    scenario = Scenario(_ROUTED, every=30)
    now = 0
    for name, *arguments in actions:
        steps = int(str(arguments[0])) if name == "waits" else 1
        if name != "waits":
            getattr(scenario.world, str(name))(*arguments)
        for _ in range(steps):
            scenario.play(now)
            now += 30
    return scenario.heard


def _conversations(commands: list[Command]) -> dict[tuple[str, str, int], list[Command]]:
    found: dict[tuple[str, str, int], list[Command]] = defaultdict(list)
    for command in commands:
        if command.sink in _RECEIVERS:
            found[command.sink, command.incident_id, command.epoch].append(command)
    return found


@given(_ACTIONS)
@settings(max_examples=examples(100))
def test_each_receiver_hears_once_that_it_began_and_once_that_it_ended(
    actions: list[tuple[object, ...]],
) -> None:
    heard = _played(actions)
    commands = [c for t in heard.transitions for c in plan(t, _ROUTED, _RECEIVERS)]
    assert len({c.id for c in commands}) == len(commands)
    resolved = {(t.incident.id, t.incident.epoch) for t in heard.transitions if t.kind == "resolved"}
    for (sink, incident, epoch), said in _conversations(commands).items():
        words = [c.action for c in said]
        assert words[0] == "open"
        assert words.count("open") == 1
        assert words.count("resolve") == ((incident, epoch) in resolved)
        if "resolve" in words:  # afterwards only notes come, to programs
            assert {c.kind for c in said[words.index("resolve") + 1 :]} <= {"note", "notes"}
        if sink.startswith("email"):
            routine = [c.at for c in said if c.kind == "update"]
            assert all(b - a >= 30 * MINUTES * 1000 for a, b in itertools.pairwise(routine))


@given(_ACTIONS, st.integers(0, 20))
@settings(max_examples=examples(60))
def test_who_heard_that_it_began_hears_that_it_ended_across_a_wait(
    actions: list[tuple[object, ...]], cut: int
) -> None:
    early, heard = _played(actions[:cut]), _played(actions)
    said = [c for t in early.transitions for c in plan(t, _ROUTED, _RECEIVERS)]
    known: dict[str, Incident] = {n: i for n, i in early.incidents.items() if i.state != "closed"}
    for name, incident in heard.incidents.items():
        if name not in early.incidents or name in known:
            said += catch_up(incident, known.get(name), _ROUTED, _RECEIVERS)
    found = _conversations(said)
    for incident in heard.incidents.values():
        if incident.state not in ("resolved", "closed"):
            missing = [r for r in incident.routed if r in _RECEIVERS]
            assert all((name, incident.id, incident.epoch) in found for name in missing)
    for (_, incident_id, epoch), commands in found.items():
        words = [c.action for c in commands]
        now = heard.incidents[incident_id]
        over = now.epoch > epoch or now.state in ("resolved", "closed")
        assert words[0] == "open"
        assert words.count("open") == 1
        assert words.count("resolve") == over
