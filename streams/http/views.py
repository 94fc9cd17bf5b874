"""What is the present content of the topics? Views keep it in memory, so that every worker can answer for all workers.

`tailing.tailer` reads the topics and passes each record to `Views`, which HTTP reads. Views do not interpret records:
they hold the records as they were written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from detectors.axes import overlaps
from detectors.bounds import cut
from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.process.deploys import Deploy
from sinks.banner import banner
from streams.http.input_states import InputStates
from streams.http.page_states import PageStates
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pages.changes import Changes
from streams.http.pages.covers import CoverStates
from streams.http.pages.told import ToldStates
from streams.http.pages.traces import Traces
from streams.http.status.days import DayCounts
from streams.kafka.topics import Topics
from streams.records.jsonl import read_deploy
from streams.records.models import encode_input

__all__ = [
    "BANNER_KEYS",
    "HISTORY_POINTS",
    "LOG_LINES",
    "PEOPLE_WINDOW",
    "SUCCESS_WINDOW",
    "Point",
    "States",
    "Views",
]

#: Points of history per scope and window: an hour at the 10 s at which indicators are published.
HISTORY_POINTS = 360
#: The windows whose success, and whose people, are kept as traces.
SUCCESS_WINDOW, PEOPLE_WINDOW = "5m", "1h"
#: Deploys that are kept.
DEPLOYS = 500
#: Lines of the incident log that are kept, over all incidents.
LOG_LINES = 2_000
#: Keys of the banner that are kept, as clients have keys of their own; those published the longest ago go first.
BANNER_KEYS = 1_000
#: Closed incidents that are kept; the oldest go first.
CLOSED_INCIDENTS = 1_000
#: The indicators of all scopes state equal instants, and a start reads an hour of them, so parsed instants are cached.
_instant_of_slis = lru_cache(maxsize=256)(parse_instant)


#: Receives key and headers of a record.
States = Callable[[bytes | None, Iterable[tuple[str, bytes]]], object]


class Point(NamedTuple):
    """One published value of an indicator, for a sparkline."""

    at: int
    success_ratio: float | None
    users_impacted: int


class Views:
    """The latest records of each topic. A record that is passed twice changes nothing the second time.

    Args:
        topics: their names.
        states: receives key and headers of each recent record of `watch-state`; None: that topic is not followed.

    Attributes:
        ready: whether all records that were on the topics when this process started have been read.
        unreadable: number of records that were skipped because they are no records of their topic.
        alerts: which alerts PagerDuty's incidents hold.
        inputs: what became of inputs.
        covers: mutes, maintenances and corrections.
        pages: what became of pages.
        days: the sign-ins of each day.
        told: what became of the messages to all receivers.
        traces: success and people of each scope over a day.
        changes: how often what is known has changed.
    """

    def __init__(self, topics: Topics | None = None, *, states: States | None = None) -> None:
        topics = topics or Topics()
        self._states = states
        self._watch_state = topics.watch_state
        self.ready = False
        self.unreadable = 0
        self._slis: dict[tuple[str, str], dict[str, Any]] = {}
        self._history: dict[tuple[str, str], deque[Point]] = {}
        self._incidents: dict[str, dict[str, Any]] = {}
        self._banners: dict[str, banner.Banner] = {}
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_LINES)
        self._deploys: dict[Deploy, None] = {}
        self.alerts = AlertIndex()
        self.inputs = InputStates()
        self.pages = PageStates()
        self.covers = CoverStates()
        self.days = DayCounts()
        self.told = ToldStates()
        self.traces = Traces()
        self.changes = Changes()
        self._folds: Mapping[str, Callable[[str, bytes | None], None]] = {
            topics.sli: self._fold_sli,
            topics.incidents: self._fold_incident,
            topics.banner: self._fold_banner,
            topics.incident_log: self._fold_log,
            topics.inputs: self._fold_input,
            topics.deliveries: self._fold_delivery,
            topics.history: self._fold_history,
            topics.days: self._fold_day,
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of the topics that the views follow."""
        return (*self._folds, self._watch_state) if self._states is not None else tuple(self._folds)

    def apply(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> str | None:
        """Apply one record. A record that cannot be read is counted and skipped, without an exception.

        Returns:
            why the record cannot be read; None if it was read.
        """
        if topic == self._watch_state and self._states is not None:
            self._states(key, headers)
        fold = self._folds.get(topic)
        if fold is None:
            return None
        try:
            fold((key or b"").decode(), value)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.unreadable += 1
            return cut(f"{type(error).__name__}: {' '.join(str(error).split())}", 500)
        self.changes.note()
        return None

    def slis(self) -> list[dict[str, Any]]:
        """Return the latest indicators of each scope and window, by scope, then window."""
        return [self._slis[key] for key in sorted(self._slis)]

    def history(self, scope: str, window: str) -> tuple[Point, ...]:
        """Return the last hour's indicators of an environment or method, oldest first, or (); ``window``: ``5m``."""
        return tuple(self._history.get((scope, window), ()))

    def evaluated_to(self) -> dict[str, int]:
        """Environment -> the T (ms) of its latest indicators."""
        latest: dict[str, int] = {}
        for (scope, _), sli in self._slis.items():
            env = scope.partition("/")[0]
            latest[env] = max(latest.get(env, 0), parse_instant(sli["at"]))
        return latest

    def incidents(self) -> list[dict[str, Any]]:
        """Return all incidents: open ones first, then by severity, the worst first, then the latest first."""
        return sorted(self._incidents.values(), key=_urgency)

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """Return an incident; None if there is no incident with this id (yet, or any more)."""
        return self._incidents.get(incident_id)

    def incident_log(self, incident_id: str | None = None) -> list[dict[str, Any]]:
        """Return recent lines of the incident log, oldest first; only those of ``incident_id`` if it is given."""
        return [line for line in self._log if incident_id is None or line["incident"] == incident_id]

    def deploys(self, scope: str, since: int) -> list[Deploy]:
        """Return the deploys from an instant (ms) on to what overlaps a scope, in the order in which they happened."""
        found = (one for one in self._deploys if one.at >= since and overlaps(one.scope, scope))
        return sorted(found, key=lambda one: one.at)

    def banners(self) -> list[banner.Banner]:
        """Return the banner with the greatest version of each key, expired or not, ordered by key."""
        return [self._banners[key] for key in sorted(self._banners)]

    def _fold_sli(self, key: str, value: bytes | None) -> None:
        if value is None:
            scope, _, window = key.partition("|")
            self._slis.pop((scope, window), None)
            self._history.pop((scope, window), None)
            self.traces.forget(scope)
            return
        sli = _document(value)
        scope, window, at = str(sli["scope"]), str(sli["window"]), _instant_of_slis(sli["at"])
        point = Point(at, sli["success_ratio"], sli["users_impacted"])
        known = self._slis.get((scope, window))
        if known is not None and _instant_of_slis(known["at"]) > at:
            return
        self._slis[scope, window] = sli
        if window == SUCCESS_WINDOW:
            self.traces.add(scope, at, success=point.success_ratio, completed=sli["good"] + sli["bad"])
        elif window == PEOPLE_WINDOW:
            self.traces.add(scope, at, people=point.users_impacted)
        if scope.count("/") <= 1 and "*" not in scope:
            history = self._history.setdefault((scope, window), deque(maxlen=HISTORY_POINTS))
            if history and history[-1].at == at:
                history.pop()
            history.append(point)

    def _fold_incident(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._incidents.pop(key, None)
            return
        incident = _document(value)
        _urgency(incident)  # raises if a field that sorting needs is missing
        known = self._incidents.get(str(incident["id"]))
        if known is not None and _changed_at(known) > _changed_at(incident):
            return  # written by a worker that had lost the environment
        self._incidents[str(incident["id"])] = incident
        self.alerts.learn_incident(incident)
        if len(self._incidents) > CLOSED_INCIDENTS:
            closed = [i for i in self._incidents.values() if i["state"] == "closed"]
            if len(closed) > CLOSED_INCIDENTS:
                del self._incidents[min(closed, key=lambda i: parse_instant(i["opened_at"]))["id"]]

    def _fold_banner(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._banners.pop(key, None)
            return
        state = banner.decode(value)
        known = self._banners.get(state.key)
        if known is None or known.version <= state.version:
            self._banners[state.key] = state
        if len(self._banners) > BANNER_KEYS:
            del self._banners[min(self._banners.values(), key=lambda one: (one.version, one.key)).key]

    def _fold_log(self, key: str, value: bytes | None) -> None:
        if value is not None:
            line = _document(value)
            about = line.get("incident", key)
            self.inputs.decided(line)
            self.covers.note(line)
            if line.get("deploy") is not None:
                self._deploys[read_deploy(line["deploy"])] = None
                if len(self._deploys) > DEPLOYS:
                    del self._deploys[min(self._deploys, key=lambda one: one.at)]
            self._log.append({**line, "incident": about["id"] if isinstance(about, dict) else about})

    def _fold_input(self, key: str, value: bytes | None) -> None:
        if value is not None:
            asked = _document(value)
            self.inputs.accepted(asked)
            self.alerts.learn_input(asked)

    def _fold_delivery(self, key: str, value: bytes | None) -> None:
        if value is not None:
            self.pages.learn(value)
            self.told.learn(value)

    def _fold_history(self, key: str, value: bytes | None) -> None:
        if value is not None:
            self.days.note(value)

    def _fold_day(self, key: str, value: bytes | None) -> None:
        if value is not None:
            self.days.note_day(value)

    def note_input(self, value: IncidentInput) -> None:
        """Note an input that this process has put on the topic, before its record comes back."""
        self._fold_input(value.env, encode_input(value))


def _document(value: bytes) -> dict[str, Any]:
    return msgspec.json.decode(value, type=dict[str, Any])


def _changed_at(incident: dict[str, Any]) -> int:
    changed = incident.get("updated_at")
    return 0 if changed is None else parse_instant(changed)


_OVER = {"resolved": 1, "closed": 2}


def _urgency(incident: dict[str, Any]) -> tuple[int, int, int]:
    over = _OVER.get(incident["state"], 0)
    severity = 0 if over else int(incident["severity"])
    return over, severity, -parse_instant(incident["opened_at"])
