"""Did the receivers of a simulated run get everything, in order, and nothing that wakes anybody twice?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from detectors.incidents import Command
from sinks.delivery.lanes import lane_of
from streams.records.verdicts import decode_command
from tests.simulation.processes import TOPICS
from tests.simulation.run import Run

__all__ = ["check_receivers"]

_ENDS = ("delivered", "superseded", "dropped")
#: Levels of PagerDuty's that wake somebody.
_PAGES = ("critical", "error")


def check_receivers(run: Run) -> None:
    """Hold what the sandboxes got against the outbox; what differs goes to ``run.wrong``."""
    commands: dict[str, Command] = {}
    for n, log in enumerate(run.logs(TOPICS.commands)):
        for record in log.archive[: run.outbox[n]]:
            command = decode_command(record.value or b"")
            commands.setdefault(command.id, command)
    outcomes = {one.command_id: one.outcome for one in run.deliveries()}
    for name in commands:
        if outcomes.get(name) not in _ENDS:
            run.wrong.append(f"command {name} ended as {outcomes.get(name)}")
    for record in [record for log in run.logs(TOPICS.dead) for record in log.archive]:
        run.wrong.append(f"a dead letter: {dict(record.headers)}")
    _check_pages(run, commands, outcomes)
    _check_datadog(run, commands, outcomes)
    _check_slack(run, commands, outcomes)
    _check_order(run, commands)


def _check_pages(run: Run, commands: Mapping[str, Command], outcomes: Mapping[str, str]) -> None:
    """Each page as a person got it: once; and none left open."""
    pagerduty = run.receivers.sandbox.pagerduty
    woken = Counter(one.dedup_key for one in pagerduty.woken)
    wanted: dict[str, set[str]] = {}
    for name, one in commands.items():
        if one.sink == "pagerduty" and one.action == "trigger" and one.level in _PAGES:
            wanted.setdefault(one.dedup_key, set()).add(outcomes.get(name, "nothing"))
    opened = {alert.dedup_key for alert in pagerduty.alerts}
    for key in sorted({*woken, *wanted}):
        if woken[key] > 1:
            run.wrong.append(f"somebody was woken {woken[key]} times for {key}")
        elif key not in opened and "delivered" in wanted.get(key, ()):
            # a trigger at a key whose first trigger did not page changes nothing for those who sleep
            run.wrong.append(f"PagerDuty knows nothing of {key}")
        elif key not in wanted:
            run.wrong.append(f"{key} woke somebody, and no command asks for it")
    resolved = {
        one.dedup_key for one in commands.values() if (one.sink, one.action) == ("pagerduty", "resolve")
    }
    for alert in pagerduty.alerts:
        if alert.dedup_key in resolved and alert.status != "resolved":
            run.wrong.append(f"PagerDuty's alert {alert.dedup_key} was not resolved")


def _check_datadog(run: Run, commands: Mapping[str, Command], outcomes: Mapping[str, str]) -> None:
    """One incident for each that was declared, and none left active."""
    incidents = [
        (data["attributes"]["title"].rpartition("[")[2].rstrip("]"), data["attributes"]["fields"])
        for data in run.receivers.sandbox.datadog.incidents.values()
    ]
    made = Counter(key for key, _ in incidents)
    wanted = {
        one.dedup_key
        for name, one in commands.items()
        if one.action == "incident_create" and outcomes.get(name) == "delivered"
    }
    for key in sorted({*made, *wanted}):
        if made[key] != 1:
            run.wrong.append(f"Datadog has {made[key]} incidents for {key}")
    ended = {one.dedup_key for one in commands.values() if one.action == "incident_resolve"}
    for key, fields in incidents:
        if key in ended and fields["state"]["value"] != "resolved":
            run.wrong.append(f"Datadog's incident {key} is {fields['state']['value']}")


def _check_slack(run: Run, commands: Mapping[str, Command], outcomes: Mapping[str, str]) -> None:
    """A thread for each post; a crash may have shown one twice, which Slack cannot tell."""
    posts = [
        name
        for name, one in commands.items()
        if (one.sink, one.action) == ("slack", "post") and outcomes.get(name) == "delivered"
    ]
    roots = run.receivers.sandbox.slack.roots
    if len(roots) < len(posts):
        run.wrong.append(f"Slack has {len(roots)} threads for {len(posts)} posts")
    run.happened["repeated in Slack"] += len(roots) - len(posts)


def _check_order(run: Run, commands: Mapping[str, Command]) -> None:
    """Check that no receiver gets a command again after a later command of the same lane."""
    place = {name: number for number, name in enumerate(commands)}
    reached: dict[tuple[str, str], int] = {}
    for command in run.receivers.sent:
        if command.id not in place:
            continue  # it was written after everything had come to rest
        key = lane_of(command)
        if place[command.id] < reached.get(key, -1):
            run.wrong.append(f"{command.id} was sent after a later command")
        reached[key] = max(place[command.id], reached.get(key, -1))
