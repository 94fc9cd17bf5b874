"""Invariants of incidents and notifications hold for all findings, inputs and restarts."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.incidents import Command, Transition
from detectors.lifecycle.severity import severity_of
from detectors.notification.paging import is_breach
from detectors.notification.plan import catch_up, plan
from detectors.policy.policy import Policy
from detectors.scopes import SCOPES
from detectors.urgency import is_serious
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import SINKS, START, Heard, Scenario, nested, policy
from tests.support.depth import examples

EVERY = 30
MINUTE = 60_000
#: Kinds of transitions that tell of notes.
NOTES = ("note", "notes")
Action = tuple[str, tuple[Any, ...], dict[str, Any]]

PLAIN = default_policy()
PATCHING = policy(
    "maintenance:\n- {scope: prod/ssoe, start: 2026-11-23T15:10:00Z, end: 2026-11-23T15:50:00Z,"
    " description: patching}\n"
)


def _action(name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> Any:
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries(named))


def _actions(env: str) -> st.SearchStrategy[list[Action]]:
    scopes = st.sampled_from([f"{env}/{scope}" if scope else env for scope in SCOPES])
    detectors = st.sampled_from(["outage", "burn_rate", "silence", "latency", "surge"])
    people = st.sampled_from([0, 20, 45, 60, 500, 799, 900, 1500, 50_000])
    kinds = st.sampled_from(["acknowledge", "unacknowledge", "note", "declare", "resolve", "report"])
    incidents = st.sampled_from([f"{env}-{number}" for number in (1, 2, 3)])
    estimates = st.one_of(st.none(), st.sampled_from([60.0, 4000.0]))
    return st.lists(
        st.one_of(
            _action("fires", scopes, detector=detectors, people=people, estimated_users=estimates),
            _action("fires", scopes),
            _action("quiet"),
            _action("quiet", scopes),
            _action("lacks_evidence", scopes),
            _action("hits", people),
            _action("asks", kinds, incidents, via=st.sampled_from(["http", "pagerduty"]), env=st.just(env)),
            _action("asks", st.sampled_from(["declare", "report"]), scope=scopes, env=st.just(env)),
            _action("freezes", st.booleans()),
            _action("waits", st.sampled_from([1, 2, 3, 10, 31, 62, 250])),
            _action("waits", st.sampled_from([1, 2, 3, 10, 31, 62, 250])),
        ),
        max_size=24,
    )


def _play(
    actions: list[Action], rules: Policy, env: str, each: Callable[[Scenario], None] = lambda scenario: None
) -> Heard:
    """Apply each action and play a step; an action that waits plays several steps."""
    scenario = Scenario(rules, env=env, every=EVERY)
    now = 0
    for name, arguments, named in actions:
        steps = 1
        if name == "waits":
            (steps,) = arguments
        elif name == "freezes":
            (scenario.world.frozen,) = arguments
        else:
            getattr(scenario.world, name)(*arguments, **named)
        for _ in range(steps):
            scenario.play(now)
            each(scenario)
            now += EVERY
    return scenario.heard


PLAYS = st.one_of(
    st.tuples(_actions("prod"), st.sampled_from([PLAIN, PATCHING]), st.just("prod")),
    st.tuples(_actions("staging"), st.just(PLAIN), st.just("staging")),
)


def _by_epoch(heard: Heard) -> dict[tuple[str, int], tuple[list[Transition], list[Command]]]:
    found: dict[tuple[str, int], tuple[list[Transition], list[Command]]] = defaultdict(lambda: ([], []))
    for transition in heard.transitions:
        found[transition.incident.id, transition.incident.epoch][0].append(transition)
    for command in heard.commands:
        found[command.incident_id, command.epoch][1].append(command)
    return found


def _rises(transitions: list[Transition]) -> int:
    return sum(t.kind == "severity" and t.incident.severity < (t.from_severity or 0) for t in transitions)


@given(PLAYS)
@settings(max_examples=examples(150))
def test_notifications_are_bounded_by_what_happened(play: tuple[list[Action], Policy, str]) -> None:
    heard = _play(*play)
    for transitions, commands in _by_epoch(heard).values():
        kinds = Counter(t.kind for t in transitions)
        rises = _rises(transitions)
        lasted = transitions[-1].at - transitions[0].at
        assert kinds["opened"] + kinds["reopened"] == 1
        assert max(kinds["declared"], kinds["resolved"], kinds["closed"], kinds["page_due"]) <= 1
        assert kinds["cause"] <= 1
        assert kinds["reminder"] <= 2
        assert kinds["breach"] <= 2
        # A fall takes a quarter of an hour, and so do rises after the first two.
        assert kinds["severity"] - rises <= lasted // (15 * MINUTE)
        assert rises <= 2 + 2 * (kinds["severity"] - rises)
        # The wait before it counts as recovering doubles, up to 7.5 minutes.
        assert kinds["recovering"] <= 4 + lasted // (7.5 * MINUTE)
        assert kinds["relapsed"] <= kinds["recovering"]
        triggers = [c for c in commands if (c.sink, c.action) == ("pagerduty", "trigger")]
        again = kinds["still_failing"]
        assert again <= kinds["said_resolved"]
        breaches = [c for c in triggers if c.dedup_key.endswith(":breach")]
        assert len(breaches) <= min(kinds["breach"], 1)
        assert len(triggers) - len(breaches) <= 1 + rises + min(again, 3)
        assert len({c.dedup_key for c in triggers}) - len(breaches) <= 3 + min(again, 3)
        events = [c for c in commands if (c.sink, c.action) == ("datadog", "event") and c.kind not in NOTES]
        assert len(events) <= 2 + rises
        for sink in ("slack", "datadog"):
            notes = [c.at for c in commands if c.sink == sink and c.kind in NOTES and c.action != "update"]
            assert all(later - earlier >= MINUTE for earlier, later in itertools.pairwise(notes[:-1]))
        told = [c for c in commands if c.sink == "slack" and c.action != "update"]
        messages = [c for c in told if c.kind not in NOTES]
        scope = [c.at for c in messages if c.kind == "scope"]
        assert all(later - earlier >= 5 * MINUTE for earlier, later in itertools.pairwise(scope))
        assert [c.action for c in messages].count("post") == 1
        assert [c.action for c in messages].count("broadcast") == rises + kinds["breach"] + again
        allowed = Counter(
            {k: n for k, n in kinds.items() if k not in (*NOTES, "page_due", "closed", "scope")}
        )
        allowed["scope"] = len(scope)
        assert Counter(c.kind for c in messages) == +allowed
        routine = [n for n, c in enumerate(messages) if c.kind == "update"]
        assert all(messages[n].at - messages[n - 1].at >= 30 * MINUTE for n in routine)


@given(PLAYS)
@settings(max_examples=examples(150))
def test_pagerduty_is_woken_once_but_for_linked_rises_and_hears_the_end_of_all_it_heard(
    play: tuple[list[Action], Policy, str],
) -> None:
    rules, env = play[1:]
    heard = _play(*play)
    for (name, epoch), (transitions, _) in _by_epoch(heard).items():
        base = f"watchofficer:{name}:{epoch}"
        triggered: dict[str, str] = {}
        resolved: list[str] = []
        acknowledged = said = False
        for transition in transitions:
            if transition.kind == "acknowledged":
                acknowledged = True
            if transition.kind == "unacknowledged":
                acknowledged = False
            for command in plan(transition, rules, frozenset({"pagerduty"})):
                key = command.dedup_key
                if command.action == "trigger":
                    assert env == "prod"
                    assert not transition.incident.in_maintenance
                    if transition.kind == "still_failing":
                        assert key == f"{base}:r{sum(':r' in one for one in triggered) + 1}"
                    elif transition.kind == "breach":
                        # Nobody has acknowledged the pages so far, and the response time is over.
                        assert key == f"{base}:breach"
                        assert key not in triggered
                        assert triggered
                        assert not acknowledged
                    elif key not in triggered and key != base:
                        # A key of its own wakes again: after an acknowledgement, a mere warning, or a resolution.
                        assert key == f"{base}:s{transition.incident.severity}"
                        assert acknowledged or set(triggered.values()) == {"warning"} or said
                    assert said or not resolved
                    triggered[key] = command.level
                elif command.action == "resolve":
                    assert transition.kind in ("resolved", "said_resolved")
                    resolved.append(key)
            said |= transition.kind == "said_resolved"
            if transition.kind == "said_resolved":
                acknowledged = False
        if any(t.kind == "resolved" for t in transitions):
            assert set(resolved) == set(triggered)
        elif not said:
            assert resolved == []
        assert {p.dedup_key for p in transitions[-1].incident.pages} == set(triggered)


@given(PLAYS)
@settings(max_examples=examples(150))
def test_ids_are_unique_and_the_same_play_gives_the_same_ids(play: tuple[list[Action], Policy, str]) -> None:
    heard = _play(*play)
    ids = [command.id for command in heard.commands]
    assert len(ids) == len(set(ids))
    assert [command.id for command in _play(*play).commands] == ids


@given(PLAYS, st.data())
@settings(max_examples=examples(100))
def test_restarting_from_the_encoded_memory_at_any_step_changes_nothing(
    play: tuple[list[Action], Policy, str], data: st.DataObject
) -> None:
    calm = _play(*play)
    every = data.draw(st.sampled_from([1, 2, 7]))
    steps = iter(range(1_000_000))

    def restart(scenario: Scenario) -> None:
        if next(steps) % every == 0:
            scenario.restart()

    shaken = _play(*play, each=restart)
    assert msgspec.json.encode(shaken.transitions) == msgspec.json.encode(calm.transitions)
    assert shaken.refused == calm.refused


@given(PLAYS)
@settings(max_examples=examples(150))
@example(
    (
        [
            ("fires", ("prod/ssoe/idme",), {"people": 60}),
            ("fires", ("prod/ssoe/mhv",), {}),
            ("asks", ("declare",), {"scope": "prod", "env": "prod"}),
        ],
        PLAIN,
        "prod",
    )
)
def test_states_scopes_and_peaks_go_only_where_they_may(play: tuple[list[Action], Policy, str]) -> None:
    def no_open_incident_lies_within_another_unless_the_wider_one_wakes_nobody(scenario: Scenario) -> None:
        still_open = [i for i in scenario.lifecycle.incidents() if i.state not in ("resolved", "closed")]
        for serious in (True, False):
            assert nested([i.scope for i in still_open if is_serious(i) == serious]) == []
        wakes = {i.scope for i in still_open if is_serious(i)}
        assert all(wide not in wakes for wide, _ in nested([i.scope for i in still_open]))

    heard = _play(*play, each=no_open_incident_lies_within_another_unless_the_wider_one_wakes_nobody)
    ways = {
        (None, "open"),
        ("open", "acknowledged"),
        ("acknowledged", "open"),
        ("open", "recovering"),
        ("acknowledged", "recovering"),
        ("recovering", "open"),
        ("recovering", "acknowledged"),
        ("open", "resolved"),
        ("acknowledged", "resolved"),
        ("recovering", "resolved"),
        ("resolved", "open"),
        ("resolved", "closed"),
    }
    stood: dict[str, tuple[str, int, str]] = {}
    for transition in heard.transitions:
        after = transition.incident
        before = (transition.from_state, transition.from_severity, transition.from_scope)
        assert before == stood.get(after.id, (None, None, None))  # each goes on where the last one ended
        stood[after.id] = (after.state, after.severity, after.scope)
        assert transition.from_state == after.state or (transition.from_state, after.state) in ways
        assert (transition.kind == "reopened") == (
            (transition.from_state, after.state) == ("resolved", "open")
        )
        assert after.peak_severity <= after.severity
        assert after.peak_users_impacted >= after.users_impacted
        assert after.first_bad_at <= after.opened_at
    for transitions, _ in _by_epoch(heard).values():
        worst = 3
        for after in (t.incident for t in transitions):
            assert after.peak_severity <= worst, "what was only projected may have been refuted"
            if after.basis == "observed" and is_serious(after):
                worst = min(worst, severity_of(after.users_impacted, after.env, play[1]))


@given(PLAYS)
@settings(max_examples=examples(100))
def test_whatever_was_missed_while_catching_up_no_alert_stays_open_that_is_over(
    play: tuple[list[Action], Policy, str],
) -> None:
    """PagerDuty and incidents agree after notifications, a wait from a third of the play on, and catching up."""
    actions, rules, env = play
    early = _play(actions[: len(actions) // 3], rules, env)
    known = {name: i for name, i in early.incidents.items() if i.state != "closed"}
    open_keys = _open_alerts(early.commands)
    heard = _play(actions, rules, env)
    if not heard.transitions:
        return
    said: list[Command] = []
    for name, incident in heard.incidents.items():
        if name not in early.incidents or name in known:
            said += catch_up(incident, known.get(name), rules, SINKS)
    open_keys = _open_alerts(said, open_keys)
    over = {
        f"watchofficer:{i.id}:{epoch}"
        for i in heard.incidents.values()
        for epoch in range(i.epoch + (i.state in ("resolved", "closed")))
    }
    assert not {key for key in open_keys if ":".join(key.split(":")[:3]) in over}
    waiting = [i for i in heard.incidents.values() if i.state == "open" and i.pages]
    for incident in waiting:
        before = known.get(incident.id)
        is_news = (
            before is None or before.epoch != incident.epoch
        )  # so that no response time of anybody is over
        pages = [page.dedup_key for page in incident.pages if not (is_news and is_breach(page))]
        assert pages[-1] in open_keys
    assert len({c.id for c in said}) == len(said)


def _open_alerts(commands: list[Command], already: set[str] | None = None) -> set[str]:
    open_keys = set(already or ())
    for command in commands:
        if command.action == "trigger":
            open_keys.add(command.dedup_key)
        if command.sink == "pagerduty" and command.action == "resolve":
            open_keys.discard(command.dedup_key)
    return open_keys


@pytest.mark.parametrize("period", [1, 2, 3, 5, 9, 20, 33])
def test_a_day_of_flapping_stays_within_what_a_person_can_read(period: int) -> None:
    scenario = Scenario(every=EVERY)
    for n in range(0, 24 * 3600, EVERY):
        if (n // EVERY) % (2 * period) == 0:
            scenario.at(n).fires("prod/ssoe", people=1500 if n % 7 else 20)
        elif (n // EVERY) % (2 * period) == period:
            scenario.at(n).quiet(people=10)
    heard = scenario.play(until=24 * 3600)
    assert {t.incident.id for t in heard.transitions} == {"prod-1"}
    assert len({key for _, _, key in heard.pages()}) <= 3 * (1 + len(heard.when("reopened")))
    assert len(heard.messages()) <= 24 * 8 + 6 * len(heard.when("reopened"))
    assert heard.transitions[0].at == START
