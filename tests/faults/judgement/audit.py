"""Do the topics and the receivers hold, after faults, exactly what follows from the input log alone?"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from detectors.incidents import IncidentInput
from detectors.instants import format_duration, format_instant, parse_instant
from detectors.policy.policy import Policy
from sinks.delivery.outcomes import Delivery
from sinks.sandbox import Sandbox
from streams.kafka.topics import Topics
from streams.records.models import decode_input, encode_incident, encode_input
from streams.records.verdicts import decode_command
from tests.faults.campaign.topics import Folded, InputLog, folded, input_log, read
from tests.faults.judgement.findings import Audit
from tests.faults.judgement.judged_again import Verdicts, history_by_then, replay_command, replayed
from tests.support.oracle import Judgement, judge

__all__ = ["audit"]

_PAGES = ("critical", "error")


async def audit(
    broker: str,
    topics: Topics,
    policy: Policy,
    policy_file: Path,
    folder: Path,
    *,
    sandbox: Sandbox,
    now: int,
) -> Audit:
    """Compare all records and messages of a run. ``WATCHOFFICER_BROKER`` and the prefix must be set.

    Args:
        broker: ``host:port`` of the broker.
        topics: the names of the run's topics.
        policy, policy_file: the policy in force, and its file.
        folder: the folder for files that the comparison needs.
        sandbox: the receivers.
        now: ms since the epoch.
    """
    found = Audit()
    log = await input_log(broker, topics.login_events)
    views = await folded(broker, topics.segments)
    _same_everywhere(found, views)
    view = views[0]
    numbers = {
        "sli_every": policy.sli_every,
        "windows": {format_duration(window): window for window in policy.sli_windows},
    }
    said = await asyncio.to_thread(judge, log.partitions, numbers, log.marks(view.marks))
    found.log = said.summary()
    _accounted(found, view, said)
    _rejected(found, await read(broker, topics.rejected), said, log)

    slis = _last(found, "sli", await read(broker, topics.sli), _sli_place, json.loads)
    until = max((parse_instant(line["at"]) for line in said.slis), default=0)
    _reached(found, slis, until)
    expected = {(line["at"], line["scope"], line["window"]): line for line in said.slis}
    found.equal("sli", {k: v for k, v in slis.items() if parse_instant(k[0]) <= until}, expected)

    lines = [json.loads(record.value) for record in await read(broker, topics.incident_log)]
    inputs = [decode_input(record.value) for record in await read(broker, topics.inputs)]
    applied = _applied(found, inputs, lines)
    again = await asyncio.to_thread(replayed, topics.login_events, policy, now, applied)
    stamps = sorted(stamp for records in log.partitions for _, stamp in records if stamp is not None)
    middle = stamps[len(stamps) // 2]
    await _command_agrees(
        found, topics, policy, policy_file, folder, applied=applied, again=again, middle=middle
    )
    _log_lines(found, lines, again)
    await _records(found, broker, topics, again)
    commands = await _commands(found, broker, topics, again)
    await _deliveries(found, broker, topics, sandbox, again, commands)
    return found


# --------------------------------------------------------------------------------------------------
# The input


def _same_everywhere(found: Audit, views: list[Folded]) -> None:
    """Check that every environment was judged by equal marks."""
    first = views[0]
    for number, other in enumerate(views[1:], 1):
        for partition in set(first.marks) | set(other.marks):
            one, two = _in_force(first.marks[partition]), _in_force(other.marks[partition])
            if one != two:
                gone = sorted(set(one) ^ set(two))[:4]
                found.differ("marks", f"sli-segments/0 and /{number} differ on input {partition}: {gone}")
    found.compared["marks"] += sum(map(len, first.marks.values()))


def _in_force(marks: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the marks that raise the watermark: (next offset, watermark), each above all before it."""
    greatest: dict[int, int] = {}
    for offset, watermark in marks:
        greatest[offset] = max(greatest.get(offset, 0), watermark)
    out: list[tuple[int, int]] = []
    for offset, watermark in sorted(greatest.items()):
        if not out or watermark > out[-1][1]:
            out.append((offset, watermark))
    return out


def _accounted(found: Audit, view: Folded, said: Judgement) -> None:
    """Check that accepted + rejected + duplicates = records on the topic, and that each number is the oracle's."""
    live = {name: view.total(name) for name in ("accepted", "duplicates", "late", "too_late")}
    live |= {"events": view.total("records"), "rejected": view.rejected}
    found.equal("tallies", live, said.summary())
    missing = said.events - (live["accepted"] + live["rejected"] + live["duplicates"])
    if missing:
        found.lost.append(f"{missing} records of login-events are not accounted for")


def _rejected(found: Audit, records: list[Any], said: Judgement, log: InputLog) -> None:
    live = set()
    for record in records:
        headers = dict(record.headers)
        live.add((int(headers["partition"]), int(headers["offset"])))
    expected = {
        (partition, log.offsets[partition][place])
        for partition, fates in enumerate(said.acceptance)
        for place, fate in enumerate(fates)
        if fate == "rejected"
    }
    found.compared["rejected"] += len(expected)
    found.lost += [f"{place} was rejected and not set aside" for place in sorted(expected - live)]
    for place in sorted(live - expected):
        found.differ("rejected", f"{place} was set aside")


# --------------------------------------------------------------------------------------------------
# Verdicts


def _last(
    found: Audit, what: str, records: list[Any], place: Callable[[Any], Any], decode: Callable[[bytes], Any]
) -> dict[Any, Any]:
    """Return the last record of each place; a repeated record must equal the first one."""
    out: dict[Any, Any] = {}
    for record in records:
        value = decode(record.value)
        key = place(value)
        if out.setdefault(key, value) != value:
            found.differ(what, f"{key} was {out[key]} and then {value}")
        out[key] = value
    return out


def _sli_place(value: dict[str, Any]) -> tuple[str, str, str]:
    return value["at"], value["scope"], value["window"]


def _reached(found: Audit, slis: Mapping[tuple[str, str, str], Any], until: int) -> None:
    """Check that each environment with indicators has them up to the end."""
    latest: dict[str, int] = {}
    for at, scope, _ in slis:
        env = scope.partition("/")[0]
        latest[env] = max(latest.get(env, 0), parse_instant(at))
    for env, reached in latest.items():
        if reached < until:
            found.lost.append(
                f"{env} was judged to {format_instant(reached)}, the log goes to {format_instant(until)}"
            )


def _applied(
    found: Audit, inputs: list[IncidentInput], lines: list[dict[str, Any]]
) -> list[tuple[int, IncidentInput]]:
    """Return the incident inputs, each with the T (ms) at which it was applied by the incident log."""
    times: dict[str, set[int]] = {}
    for line in lines:
        if line.get("input") and not str(line.get("reason", "")).startswith("it was dealt with before"):
            times.setdefault(line["input"], set()).add(parse_instant(line["at"]))
    out = []
    for name, one in {one.id: one for one in inputs}.items():
        at = times.get(name, set())
        found.compared["inputs"] += 1
        if len(at) != 1:
            found.differ(
                "inputs",
                f"{name} ({one.kind} {one.incident}) was applied at {sorted(at)}",
            )
        out += [(min(at), one)] if at else []
    return out


async def _command_agrees(
    found: Audit,
    topics: Topics,
    policy: Policy,
    policy_file: Path,
    folder: Path,
    *,
    applied: list[tuple[int, IncidentInput]],
    again: Verdicts,
    middle: int,
) -> None:
    """Check that `watchofficer replay` prints what this process replayed, also from an instant (ms) within the log."""
    inputs = folder / "inputs.jsonl"
    inputs.write_bytes(
        b"\n".join(
            msgspec.json.encode(msgspec.json.decode(encode_input(one)) | {"applied_at": format_instant(at)})
            for at, one in applied
        )
    )
    every = format_duration(policy.sli_every)
    printed = await asyncio.to_thread(replay_command, topics.login_events, policy_file, every, inputs)
    found.compared["replay"] += len(printed)
    summary = [one for one in printed if one["type"] == "summary"]
    for one in [*summary, again.summary]:
        one.pop("seconds")
    if summary != [again.summary]:
        found.differ("replay", f"the command's summary is {summary}, here it is {again.summary}")
    _same_list(found, "replay", [one for one in printed if one["type"] != "summary"], again.objects)

    name = f"{topics.login_events}@{format_instant(middle)}.."
    printed = await asyncio.to_thread(replay_command, name, policy_file, every, inputs)
    rest = [one for one in again.objects if parse_instant(one["at"]) >= middle]
    found.compared["replay from the middle"] += len(rest)
    _same_list(found, "replay from the middle", [one for one in printed if one["type"] != "summary"], rest)


def _same_list(found: Audit, what: str, live: list[Any], expected: list[Any]) -> None:
    for number, (one, other) in enumerate(zip(live, expected, strict=False)):
        if one != other:
            found.differ(what, f"number {number} is {one}, expected {other}")
            return
    if len(live) != len(expected):
        found.differ(what, f"there are {len(live)}, expected {len(expected)}")


def _log_lines(found: Audit, lines: list[dict[str, Any]], again: Verdicts) -> None:
    """Compare the incident log, without offsets and repeated records."""

    def ordered(some: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
        out: dict[str, dict[str, None]] = {}
        for line in some:
            if line["type"] == "refused" and line["reason"] == "it was dealt with before":
                continue  # a repeated record of an input
            if parse_instant(line["at"]) <= again.until:
                shown = json.dumps({k: v for k, v in line.items() if k != "offsets"}, sort_keys=True)
                # A notice is of no incident; environments stand on partitions of their own, in no common order.
                about = line["incident"] or f"notices of {line['env']}"
                out.setdefault(str(about), {}).setdefault(shown)
        return {name: list(some) for name, some in out.items()}

    live, expected = ordered(lines), ordered(again.lines)
    for name in sorted(set(live) | set(expected)):
        found.compared["transitions"] += len(expected.get(name, ()))
        ours, theirs = live.get(name, []), expected.get(name, [])
        for line in [one for one in ours if one not in set(theirs)]:
            found.differ("transitions", f"{name}: only live: {line}")
        for line in [one for one in theirs if one not in set(ours)]:
            found.differ("transitions", f"{name}: only replayed: {line}")
        if set(ours) == set(theirs) and ours != theirs:
            place = next(n for n, (one, two) in enumerate(zip(ours, theirs, strict=True)) if one != two)
            found.differ("transitions", f"{name}: in another order from line {place} on: {ours[place]}")


async def _records(found: Audit, broker: str, topics: Topics, again: Verdicts) -> None:
    """Compare the last state of incidents, the history and the banners."""
    live: dict[str, Any] = {}
    for record in await read(broker, topics.incidents):
        live[record.key.decode()] = json.loads(record.value)
    over = {name: json.loads(encode_incident(one)) for name, one in again.incidents.items()}
    # Incidents that are not closed at the end of the log continue live.
    closed = {name: one for name, one in over.items() if one["state"] == "closed"}
    found.equal("incidents", {name: live.get(name) for name in closed}, closed)
    for name in live.keys() - over.keys():
        if parse_instant(live[name]["opened_at"]) <= again.until:
            found.differ("incidents", f"{name} should not be there: {live[name]}")

    history = history_by_then(
        [json.loads(record.value) for record in await read(broker, topics.history)], again
    )
    found.equal("history", {key: history.get(key) for key in again.history}, again.history)

    banners: dict[tuple[str, int], Any] = {}
    for record in await read(broker, topics.banner):
        value = json.loads(record.value)
        if value["version"] <= again.until:
            banners[value["key"], value["version"]] = (value["state"], value["incident_id"])
    expected = {
        place: (one.state, one.incident_id)
        for place, one in again.banners.items()
        if one.version <= again.until
    }
    found.equal("banners", banners, expected)


# --------------------------------------------------------------------------------------------------
# Messages to receivers


async def _commands(found: Audit, broker: str, topics: Topics, again: Verdicts) -> dict[str, Any]:
    """Compare the outbox: each command must be as a run without faults writes it, repeated or not."""
    live: dict[str, Any] = {}
    for record in await read(broker, topics.commands):
        command = decode_command(record.value)
        if live.setdefault(command.id, command) != command:
            found.differ("commands", f"{command.id} was written with two meanings")
    expected = {name: one for name, one in again.commands.items() if one.at <= again.until}
    upto = {name: one for name, one in live.items() if one.at <= again.until}
    found.equal("commands", _plain(upto), _plain(expected))
    return live


def _plain(commands: Mapping[str, Any]) -> dict[str, Any]:
    return {name: msgspec.to_builtins(one) for name, one in commands.items()}


async def _deliveries(
    found: Audit,
    broker: str,
    topics: Topics,
    sandbox: Sandbox,
    again: Verdicts,
    commands: dict[str, Any],
) -> None:
    outcomes: dict[str, str] = {}
    for record in await read(broker, topics.deliveries):
        delivery = msgspec.json.decode(record.value, type=Delivery)
        outcomes[delivery.command_id] = delivery.outcome
    found.compared["deliveries"] += len(commands)
    for name in commands:
        if outcomes.get(name) not in ("delivered", "superseded", "dropped"):
            found.lost.append(f"{name} was never delivered: {outcomes.get(name)}")
    _pages(found, sandbox, commands, outcomes)
    _datadog(found, sandbox, commands, outcomes)
    roots = {name for name, one in commands.items() if (one.sink, one.action) == ("slack", "post")}
    found.repeated["messages in Slack"] += len(sandbox.slack.roots) - len(roots)
    events = [one for one in commands.values() if (one.sink, one.action) == ("datadog", "event")]
    found.repeated["events in Datadog"] += len(sandbox.datadog.events) - len(events)


def _pages(found: Audit, sandbox: Sandbox, commands: Mapping[str, Any], outcomes: Mapping[str, str]) -> None:
    """Check that each page about sign-in woke people once, and that none was left open."""
    woken = Counter(one.dedup_key for one in sandbox.pagerduty.woken if ":blind:" not in one.dedup_key)
    wanted: dict[str, set[str]] = {}
    for name, one in commands.items():
        if one.sink == "pagerduty" and one.action == "trigger" and one.level in _PAGES:
            wanted.setdefault(one.dedup_key, set()).add(outcomes.get(name, "nothing"))
    found.compared["pages"] += len(wanted)
    for key in sorted(set(woken) | set(wanted)):
        if woken[key] > 1:
            found.second_pages.append(f"{key}: {woken[key]} times")
        elif not woken[key] and "delivered" in wanted[key]:
            # a trigger at a key whose first trigger did not page wakes nobody
            found.lost.append(f"nobody was woken for {key}")
        elif key not in wanted:
            found.differ("pages", f"{key} woke somebody, and no command asks for it")
    resolved = {
        one.dedup_key for one in commands.values() if one.sink == "pagerduty" and one.action == "resolve"
    }
    for alert in sandbox.pagerduty.alerts:
        if alert.dedup_key in resolved and alert.status != "resolved":
            found.lost.append(f"PagerDuty's alert {alert.dedup_key} was not resolved")


def _datadog(
    found: Audit, sandbox: Sandbox, commands: Mapping[str, Any], outcomes: Mapping[str, str]
) -> None:
    """Check that Datadog has one incident for each declared incident, and that none was left active."""
    titles = Counter(
        data["attributes"]["title"].rpartition("[")[2].rstrip("]")
        for data in sandbox.datadog.incidents.values()
    )
    wanted = {
        one.dedup_key
        for name, one in commands.items()
        if one.action == "incident_create" and outcomes.get(name) == "delivered"
    }
    found.compared["Datadog incidents"] += len(wanted)
    for key in sorted(set(titles) | wanted):
        if titles[key] != 1:
            found.differ("Datadog incidents", f"{key} was created {titles[key]} times")
    ended = {one.dedup_key for one in commands.values() if one.action == "incident_resolve"}
    for data in sandbox.datadog.incidents.values():
        key = data["attributes"]["title"].rpartition("[")[2].rstrip("]")
        state = data["attributes"]["fields"]["state"]["value"]
        if key in ended and state != "resolved":
            found.lost.append(f"Datadog's incident {key} is {state}")
