"""What happened in a demo, at which T, and at which real time?

``Timeline`` gets the records of the topics in the order in which a plain consumer reads them, and the episodes
of the scenario; it reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from detectors.incidents import Command
from detectors.instants import SECOND, format_instant, parse_instant
from detectors.scopes import METHODS
from sinks.banner import banner
from sinks.delivery.outcomes import Delivery
from sinks.wording import ScopeNames, headline, one_line, people_words, truncate
from streams.demo.observations import BannerChange
from streams.kafka.topics import Topics
from streams.records.verdicts import decode_command
from streams.simulate.episodes import Effect, Placed

__all__ = ["HEADER", "Entry", "Timeline", "episode_words"]

_WHAT_LIMIT = 400
_BEGINS: dict[Effect, str] = {
    "failure": "{of} begins to fail{share}",
    "surge": "users' own errors begin to surge: {of}{share}",
    "silence": "nothing of {of} arrives any more",
    "no_return": "people who start {of} no longer come back",
    "slow": "{of} becomes slow{share}",
    "shift": "sign-ins begin to go another way{share}: {of} to {to}",
    "scan": "a scanner begins to call: {of}",
    "added": "requests of a step that nobody listed begin to come: {adds}",
    "bot": "one identity begins to fail over and over: {of}",
    "wait": "people begin to take longer at their provider: {of}{share}",
    "clock": "a producer's clock begins to go wrong: {of}{share}",
    "late": "events begin to come late{share}",
    "duplicate": "events begin to come twice{share}",
}
_PAGES = ("critical", "error")


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        at: event time, ms: the T of the verdict, or the instant of the scenario's episode.
        wall: real time at which it was observed, ms since the epoch.
        who: watch, pagerduty, datadog, slack, banner or scenario.
        what: in words.
        mark: the kind of the entry, for searches: ``opened``, ``page``, ``banner_up``, ...
    """

    at: int
    wall: int
    who: str
    what: str
    mark: str = ""

    def line(self, began: int) -> str:
        """The entry as text; ``began`` is the real time at which the scenario began, ms."""
        event, wall = format_instant(self.at)[11:19], format_instant(self.wall)[11:]
        seconds, _, tenths = wall.removesuffix("Z").partition(".")
        passed = (self.wall - began) / SECOND
        return f"{event}  {seconds}.{(tenths or '0')[0]}  {passed:+9.1f} s  {self.who:<9}  {self.what}"


#: The header of the lines.
HEADER = f"{'event':<8}  {'wall':<10}  {'since start':>11}  {'who':<9}  what (times are UTC)"


@dataclass
class Timeline:
    """The entries so far, and the state that is needed to interpret the next record.

    Args:
        topics: names of the topics.
        names: what people call the values of scopes.
        env: environment whose banners get entries; other changes are kept without an entry.

    Attributes:
        entries: in the order of observation.
        banners: changes on the banner topic, the first states included.
        log: lines of the incident log.
    """

    topics: Topics
    names: ScopeNames
    env: str = "prod"
    entries: list[Entry] = field(default_factory=list)
    banners: list[BannerChange] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    _states: dict[str, str] = field(default_factory=dict)
    _commands: dict[str, Command] = field(default_factory=dict)
    _waiting: dict[str, tuple[Delivery, int]] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)
    _notified: set[str] = field(default_factory=set)

    def take(self, topic: str, value: bytes | None, wall: int) -> None:
        """Add a record of one of the topics of ``sources``. A repeated record adds nothing.

        Raises:
            ValueError: the record does not have the format of its topic.
        """
        if value is None:
            return
        if topic == self.topics.incident_log:
            self._take_log(msgspec.json.decode(value, type=dict[str, Any]), wall)
        elif topic == self.topics.banner:
            self._take_banner(banner.decode(value), wall)
        elif topic == self.topics.commands:
            command = decode_command(value)
            self._commands[command.id] = command
            if command.id in self._waiting:
                self._take_delivery(*self._waiting.pop(command.id))
        elif topic == self.topics.deliveries:
            self._take_delivery(msgspec.json.decode(value, type=Delivery), wall)

    @property
    def sources(self) -> tuple[str, ...]:
        """The topics whose records the timeline needs."""
        topics = self.topics
        return (topics.incident_log, topics.commands, topics.deliveries, topics.banner)

    def begin(self, placed: Placed, wall: int) -> None:
        """An episode of the scenario begins."""
        self._add(Entry(placed.begin, wall, "scenario", episode_words(placed, self.names), "begins"))

    def end(self, placed: Placed, wall: int) -> None:
        """An episode of the scenario ends."""
        what = f"that is over: {self.names.words(placed.episode.scope)}"
        self._add(Entry(placed.end, wall, "scenario", what, "ends"))

    def _add(self, entry: Entry) -> None:
        what = truncate(one_line(entry.what), _WHAT_LIMIT)
        self.entries.append(Entry(entry.at, entry.wall, entry.who, what, entry.mark))

    # -- the incident log -------------------------------------------------------------------------------------

    def _take_log(self, line: dict[str, Any], wall: int) -> None:
        if line in self.log:
            return
        self.log.append(line)
        what = _log_words(line)
        if what is not None:
            self._add(Entry(parse_instant(line["at"]), wall, "watch", what, line["type"]))

    # -- the receivers ----------------------------------------------------------------------------------------

    def _take_delivery(self, delivery: Delivery, wall: int) -> None:
        command = self._commands.get(delivery.command_id)
        if command is None:  # another partition was read first
            self._waiting[delivery.command_id] = (delivery, wall)
            return
        if delivery.command_id in self._notified:
            return
        self._notified.add(delivery.command_id)
        if delivery.outcome == "dead":
            what = f"{command.action} was refused: a dead letter"
            self._add(Entry(command.at, wall, command.sink, what, "dead"))
        elif delivery.outcome == "delivered":
            said = self._delivered(command)
            if said is not None:
                self._add(Entry(command.at, wall, command.sink, said[0], said[1]))

    def _delivered(self, command: Command) -> tuple[str, str] | None:
        if command.sink == "pagerduty":
            return self._paged(command)
        if command.sink == "datadog":
            return _datadog_words(command)
        if command.action == "post":
            return f"root message posted: severity {command.incident.severity}", "slack_root"
        if command.action == "reply":
            return f"reply in the thread: {_KINDS.get(command.kind, command.kind)}", "slack_reply"
        if command.action == "broadcast":
            return f"reply, shown in the channel too: {_KINDS.get(command.kind, command.kind)}", "slack_reply"
        if command.action == "notice":
            return "message that belongs to no incident: a notice", "slack_notice"
        return None  # an edit of the root

    def _paged(self, command: Command) -> tuple[str, str]:
        key, incident = command.dedup_key, command.incident
        if command.action != "trigger":
            return f"{key} {command.action}d", command.action
        if key in self._keys:
            return f"{key} raised to {command.level}; nobody is woken again", "raise"
        about = f"{headline(incident, self.names)}, {people_words(incident)}"
        self._keys.add(key)
        if command.level in _PAGES:
            return f"paged ({command.level}): {about}", "page"
        return f"alert of low urgency, nobody is woken: {about}", "warning"

    # -- the banner -------------------------------------------------------------------------------------------

    def _take_banner(self, shown: banner.Banner, wall: int) -> None:
        before = self._states.get(shown.key)
        if before == shown.state:
            return
        self._states[shown.key] = shown.state
        self.banners.append(BannerChange(shown.key, shown.state, shown.version))
        env, _, rest = shown.key.partition("/")
        if env != self.env or (before is None and shown.state == "ok"):
            return
        if shown.state == "ok":
            self._add(Entry(shown.version, wall, "banner", f"down for {shown.key}", "banner_down"))
            return
        others = [f"{env}/{method}" for method in METHODS if method != rest] if rest in METHODS else []
        beside = "".join(f"; {key} stays {self._states.get(key, 'ok')}" for key in others)
        verb = "up for" if before in (None, "ok") else "changed for"
        what = f"{verb} {shown.key}: {shown.state}{beside}"
        self._add(Entry(shown.version, wall, "banner", what, "banner_up"))


def episode_words(placed: Placed, names: ScopeNames) -> str:
    """The effect of an episode, in words."""
    episode = placed.episode
    share = f" ({episode.share:.0%} of it)" if episode.share < 1 else ""
    return _BEGINS[episode.effect].format(
        of=names.words(episode.scope),
        share=share,
        to=names.words(f"prod/{episode.to}"),
        adds=episode.adds[0],
    )


_KINDS = {
    "acknowledged": "somebody has it",
    "unacknowledged": "given back",
    "declared": "declared a service outage",
    "severity": "the severity has changed",
    "share": "more of the sign-ins fail",
    "scope": "the scope has changed",
    "recovering": "recovering",
    "relapsed": "failing again",
    "resolved": "resolved",
    "said_resolved": "resolved by a person while it fails",
    "still_failing": "still failing after a person has resolved it",
    "reminder": "nobody has acknowledged it",
    "breach": "the response time is over",
    "update": "routine update",
    "cause": "more than it seemed",
}
_WITHOUT_ENTRY: Iterable[str] = frozenset(
    {"note", "notes", "linked", "applied", "update", "page_due", "closed"}
)


def _log_words(line: dict[str, Any]) -> str | None:
    kind, incident = line["type"], line.get("incident")
    if kind in _WITHOUT_ENTRY:
        return None
    of = f"{incident} on {line.get('scope')}"
    match kind:
        case "opened" | "reopened":
            found = "detected" if kind == "opened" else "back again"
            return f"{found}: {of}, severity {line['severity']}. {line['sentence']}"
        case "severity":
            return f"{of} is severity {line['severity']} now. {line['sentence']}"
        case "scope":
            return f"{incident} is seen as {line['scope']} now"
        case "acknowledged":
            by = str(line.get("by") or "somebody")
            how = ", by a signed webhook" if by.startswith("PagerDuty") else ""
            return f"{incident} acknowledged by {by}{how}"
        case "declared":
            return f"{incident} declared a service outage"
        case "recovering":
            return f"{incident} recovering"
        case "resolved":
            return f"{incident} resolved: {line['reason']}"
        case "notice":
            return f"notice: {line['text']}"
        case "refused":
            return f"{line.get('kind')} of {line.get('by')} did not apply: {line.get('reason')}"
    return f"{incident} {_KINDS.get(kind, kind)}: {line.get('reason', '')}"


def _datadog_words(command: Command) -> tuple[str, str]:
    severity = command.incident.datadog_severity
    match command.action:
        case "event":
            over = command.level == "ok"
            return f"event {'closed' if over else 'opened'}: {command.level}", f"event_{command.level}"
        case "incident_create":
            return f"incident declared, {severity}", "incident_declared"
        case "incident_resolve":
            return "incident resolved", "incident_resolved"
    state = "stable" if command.incident.state == "recovering" else "active"
    return f"incident is {state}, {severity}", "incident_update"
