"""Did every command of a day reach its receiver once, in order, and no incident's page wait for another's?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from detectors.incidents import Command
from detectors.instants import SECOND
from detectors.notification.plan import PAGERDUTY_REST
from sinks import sandbox
from sinks.delivery.lanes import lane_of
from tests.sinks.campaign.world import Day

__all__ = ["Verdict", "judged"]

_SECRETS = (
    sandbox.ROUTING_KEY,
    sandbox.REST_TOKEN,
    sandbox.DATADOG_API_KEY,
    sandbox.DATADOG_APP_KEY,
    sandbox.SLACK_TOKEN,
)
_ENDS = ("delivered", "superseded", "dropped")


@dataclass
class Verdict:
    """What a day was like.

    Attributes:
        wrong: what must not be, in words.
        commands: how many commands were written.
        pages: how many times somebody was woken.
        repeated: pages that only a token for PagerDuty's REST interface could have told to be repeats: a person had
            resolved the alert before the answer to its trigger, which was lost, was asked for again.
        notes: how many notes stand in PagerDuty.
        grepped: the texts in which no key was found.
        worst: the longest that the first request of a page waited though PagerDuty was well and a worker up, seconds.
    """

    wrong: list[str] = field(default_factory=list)
    commands: int = 0
    pages: int = 0
    repeated: int = 0
    worst: float = 0.0
    notes: int = 0
    grepped: int = 0


def judged(day: Day) -> Verdict:
    """Hold what the receivers got against the outbox."""
    verdict = Verdict(commands=len(day.outbox))
    outcomes = {one.command_id: one.outcome for one in day.recorded}
    alerts = {alert.dedup_key for alert in day.receivers.sandbox.pagerduty.alerts}
    for _, command in day.outbox:
        outcome = outcomes.get(command.id)
        # Nobody was paged for an incident that was over before PagerDuty could be reached: it takes no note either.
        of_no_alert = command.sink == PAGERDUTY_REST and command.dedup_key not in alerts
        if outcome not in _ENDS and not (outcome == "dead" and of_no_alert):
            verdict.wrong.append(f"{command.id} ended as {outcome}")
    _judge_pages(day, outcomes, verdict)
    _judge_slack(day, verdict)
    _judge_notes(day, verdict)
    _judge_datadog(day, verdict)
    _judge_order(day, verdict)
    _judge_delays(day, outcomes, verdict)
    _judge_secrets(day, verdict)
    return verdict


def _judge_pages(day: Day, outcomes: Mapping[str, str], verdict: Verdict) -> None:
    woken = day.woken()
    verdict.pages = sum(woken.values())
    known = {alert.dedup_key for alert in day.receivers.sandbox.pagerduty.alerts}
    for key, times in woken.items():
        if times > 1 and key in day.resolved_by_people:
            verdict.repeated += times - 1
        elif times > 1:
            verdict.wrong.append(f"somebody was woken {times} times for {key}")
    for _, command in day.outbox:
        page = (command.sink, command.action) == ("pagerduty", "trigger")
        if page and outcomes.get(command.id) == "delivered" and command.dedup_key not in known:
            verdict.wrong.append(f"PagerDuty knows nothing of {command.dedup_key}")
    resolved = {c.dedup_key for _, c in day.outbox if (c.sink, c.action) == ("pagerduty", "resolve")}
    for alert in day.receivers.sandbox.pagerduty.alerts:
        if alert.is_open and alert.dedup_key in resolved:
            verdict.wrong.append(f"{alert.dedup_key} is left open")


def _judge_slack(day: Day, verdict: Verdict) -> None:
    roots = Counter(
        (one.metadata["event_payload"]["incident"], one.metadata["event_payload"]["epoch"])
        for one in day.receivers.sandbox.slack.roots
        if one.metadata
    )
    verdict.wrong += [f"{times} roots in Slack of {who}" for who, times in roots.items() if times > 1]
    lines = Counter(
        one.metadata["event_payload"]["command"]
        for one in day.receivers.sandbox.slack.messages
        if one.metadata and one.thread_ts
    )
    verdict.wrong += [f"{times} lines in Slack of {name}" for name, times in lines.items() if times > 1]


def _judge_notes(day: Day, verdict: Verdict) -> None:
    """No note of ours stands twice in PagerDuty."""
    for alert in day.receivers.sandbox.pagerduty.alerts:
        verdict.notes += len(alert.notes)
        twice = {note for note in alert.notes if alert.notes.count(note) > 1}
        verdict.wrong += [f"{alert.dedup_key} has a note twice: {note}" for note in twice]


def _judge_datadog(day: Day, verdict: Verdict) -> None:
    titles = Counter(
        one["attributes"]["title"].rpartition("[")[2]
        for one in day.receivers.sandbox.datadog.incidents.values()
    )
    verdict.wrong += [f"{times} incidents in Datadog of {who}" for who, times in titles.items() if times > 1]


def _judge_order(day: Day, verdict: Verdict) -> None:
    place = {command.id: number for number, (_, command) in enumerate(day.outbox)}
    reached: dict[tuple[str, str], int] = {}
    for command in day.receivers.sent:
        if command.id in place:
            lane = lane_of(command)
            if place[command.id] < reached.get(lane, -1):
                verdict.wrong.append(f"{command.id} was sent after a later command")
            reached[lane] = max(place[command.id], reached.get(lane, -1))


def _judge_delays(day: Day, outcomes: Mapping[str, str], verdict: Verdict) -> None:
    """How long the first request of each page waited, where nothing but other incidents could have held it up."""
    first: dict[str, int] = {}
    for at, sink, body in day.receivers.came:
        if sink == "pagerduty" and b'"event_action":"trigger"' in body:
            key = body.partition(b'"dedup_key":"')[2].partition(b'"')[0].decode()
            first.setdefault(key, at)
    seen: set[str] = set()
    for written, command in day.outbox:
        key = command.dedup_key
        if (command.sink, command.action) != ("pagerduty", "trigger") or key in seen:
            continue
        seen.add(key)
        if outcomes.get(command.id) == "delivered" and _was_well(day, command, written):
            verdict.worst = max(verdict.worst, (first[key] - written) / SECOND)


def _judge_secrets(day: Day, verdict: Verdict) -> None:
    """No key stands in what a worker writes: commands, outcomes, dead letters, the log."""
    written = {
        "the outbox": [msgspec.json.encode(command).decode() for _, command in day.outbox],
        "an outcome": [msgspec.json.encode(one).decode() for one in day.recorded],
        "a dead letter": day.dead,
        "the log": day.logged,
    }
    verdict.grepped = sum(len(texts) for texts in written.values())
    verdict.wrong += [
        f"a key stands in {where}: {text.replace(secret, '***')}"
        for where, texts in written.items()
        for text in texts
        for secret in _SECRETS
        if secret in text
    ]


def _was_well(day: Day, command: Command, written: int) -> bool:
    """Whether PagerDuty was well and the worker up around an instant."""
    near = 70 * SECOND  # a pause that PagerDuty asked for may last a minute
    well = not any(
        day.receivers.broken("pagerduty", written + shift) for shift in range(-near, 15_000, 1_000)
    )
    downs = day.downs[day.mine(command)]
    up = not any(begin - 1_000 <= written + 10_000 and written <= end + 1_000 for begin, end in downs)
    return well and up
