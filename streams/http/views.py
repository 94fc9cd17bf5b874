"""What is the present content of the topics? Views keep it in memory, so that every worker can answer for all workers.

`ViewsTailer` reads the topics and passes each record to `Views`, which HTTP reads. Views do not interpret records:
they hold the records as they were written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from detectors.bounds import cut
from detectors.incidents import IncidentInput
from detectors.instants import HOUR, SECOND, parse_instant
from sinks.banner import banner
from streams.http.input_states import InputStates
from streams.http.page_states import PageStates
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pages.covers import CoverStates
from streams.http.status.days import DayCounts
from streams.kafka.clients import Backoff, Consumer
from streams.kafka.topics import Topics
from streams.records.models import encode_input
from streams.records.reading import OwnRecords, Unread
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.watchdog.peers import FORGOTTEN_AFTER

__all__ = [
    "BANNER_KEYS",
    "DELIVERIES",
    "HISTORY_POINTS",
    "INPUTS",
    "LOG_LINES",
    "SLI_RECORDS",
    "STATES_BACK",
    "Point",
    "States",
    "Views",
    "ViewsTailer",
]

#: Points of history per scope and window: an hour at the 10 s at which indicators are published.
HISTORY_POINTS = 360
#: Lines of the incident log that are kept, over all incidents.
LOG_LINES = 2_000
#: Inputs of each partition that are read at a start.
INPUTS = 2_000
#: Deliveries of each partition that are read at a start.
DELIVERIES = 10_000
#: Keys of the banner that are kept, as clients have keys of their own; those published the longest ago go first.
BANNER_KEYS = 1_000
#: Closed incidents that are kept; the oldest go first.
CLOSED_INCIDENTS = 1_000
#: How far back indicators are read at a start, ms of the broker's time, and the least number of records that are read,
#: so that the last indicators are shown, with their age, after a pause of any length.
SLI_BACK = HOUR
SLI_RECORDS = 1_000
#: How far back `watch-state` is read at a start, ms of the broker's time: who said nothing since then is dead.
STATES_BACK = round(FORGOTTEN_AFTER * SECOND)

_START_PATIENCE = 30.0  # seconds for one answer of the broker while the tail begins
_BACKOFF_FIRST, _BACKOFF_LAST = 0.5, 15.0  # seconds
_POLL_MS = 500

log = structlog.get_logger(__name__)

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
        self.alerts = AlertIndex()
        self.inputs = InputStates()
        self.pages = PageStates()
        self.covers = CoverStates()
        self.days = DayCounts()
        self._folds: Mapping[str, Callable[[str, bytes | None], None]] = {
            topics.sli: self._fold_sli,
            topics.incidents: self._fold_incident,
            topics.banner: self._fold_banner,
            topics.incident_log: self._fold_log,
            topics.inputs: self._fold_input,
            topics.deliveries: self._fold_delivery,
            topics.history: self._fold_history,
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
        return None

    def slis(self) -> list[dict[str, Any]]:
        """Return the latest indicators of each scope and window, by scope, then window."""
        return [self._slis[key] for key in sorted(self._slis)]

    def history(self, scope: str, window: str) -> tuple[Point, ...]:
        """Return the last hour of indicators of an environment or auth method, oldest first; () for other scopes."""
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

    def banners(self) -> list[banner.Banner]:
        """Return the banner with the greatest version of each key, expired or not, ordered by key."""
        return [self._banners[key] for key in sorted(self._banners)]

    def _fold_sli(self, key: str, value: bytes | None) -> None:
        if value is None:
            scope, _, window = key.partition("|")
            self._slis.pop((scope, window), None)
            self._history.pop((scope, window), None)
            return
        sli = _document(value)
        scope, window, at = str(sli["scope"]), str(sli["window"]), _instant_of_slis(sli["at"])
        point = Point(at, sli["success_ratio"], sli["users_impacted"])
        known = self._slis.get((scope, window))
        if known is not None and _instant_of_slis(known["at"]) > at:
            return
        self._slis[scope, window] = sli
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
            self._log.append({**line, "incident": about["id"] if isinstance(about, dict) else about})

    def _fold_input(self, key: str, value: bytes | None) -> None:
        if value is not None:
            asked = _document(value)
            self.inputs.accepted(asked)
            self.alerts.learn_input(asked)

    def _fold_delivery(self, key: str, value: bytes | None) -> None:
        if value is not None:
            self.pages.learn(value)

    def _fold_history(self, key: str, value: bytes | None) -> None:
        if value is not None:
            self.days.note(value)

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


class ViewsTailer(Service):
    """Follows the topics of a `Views` for as long as it runs, without a consumer group.

    Compacted topics are read from their beginning, indicators from an hour back, states from ten minutes back, and of
    the incident log, the inputs and the deliveries only the last. If the broker is unreachable, the tailer waits for
    it and continues at its last position.

    Args:
        views: the views to update. Their ``ready`` becomes true once and stays true even if the broker is lost.
        consumer: makes a consumer of the named topics, without a group, that starts at the earliest offset.
        clock: ms since the epoch, as in the broker's timestamps.
        pause: waits a number of seconds between attempts; asyncio's sleep by default.
        timing: the source of random numbers for retries.
        own: names and copies records that cannot be read.
    """

    def __init__(
        self,
        views: Views,
        consumer: Callable[..., Consumer],
        *,
        topics: Topics,
        clock: Callable[[], int],
        pause: Callable[[float], Awaitable[object]] | None = None,
        timing: Timing = REAL_TIMING,
        own: OwnRecords | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._views = views
        self._consumer = consumer
        self._topics = topics
        self._clock = clock
        self._pause = pause or self.sleep
        self._timing = timing
        self._own = own
        self._next: dict[TopicPartition, int] = {}
        self._ends: Mapping[TopicPartition, int] = {}

    @Service.task
    async def _tail(self) -> None:
        backoff = Backoff(_BACKOFF_FIRST, _BACKOFF_LAST, self._timing, sleep=self._pause)
        while not self.should_stop:
            consumer = self._consumer(*self._views.topics)
            try:
                await consumer.start()
                await self._seek(consumer)
                backoff.succeeded()
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("views_tail_interrupted", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()
            finally:
                await consumer.stop()

    async def _seek(self, consumer: Consumer) -> None:
        partitions = sorted(consumer.assignment())
        async with asyncio.timeout(_START_PATIENCE):
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            recent = await self._recent(consumer, ends)
        # All seeks without an await in between, during which a batch from an older position could arrive.
        known, self._next = self._next, {}
        for partition in partitions:
            start = known.get(partition, recent.get(partition, 0))
            # Records were removed by retention, or the topic was replaced.
            if not begins[partition] <= start <= ends[partition]:
                start = begins[partition]
            self._next[partition] = start
            consumer.seek(partition, start)
        if not self._views.ready:
            self._ends = ends
            self._settle()

    async def _recent(
        self, consumer: Consumer, ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        logs = [p for p in ends if p.topic == self._topics.incident_log]
        slis = [p for p in ends if p.topic == self._topics.sli]
        starts = {p: max(0, ends[p] - LOG_LINES) for p in logs}
        starts |= {p: max(0, ends[p] - INPUTS) for p in ends if p.topic == self._topics.inputs}
        starts |= {p: max(0, ends[p] - DELIVERIES) for p in ends if p.topic == self._topics.deliveries}
        states = [p for p in ends if p.topic == self._topics.watch_state]
        since = dict.fromkeys(slis, self._clock() - SLI_BACK)
        since |= dict.fromkeys(states, self._clock() - STATES_BACK)
        for partition, at in (await consumer.offsets_for_times(since)).items():
            least = SLI_RECORDS if partition.topic == self._topics.sli else 0
            enough = max(0, ends[partition] - least)
            starts[partition] = min(at.offset, enough) if at else enough
        return starts

    async def _follow(self, consumer: Consumer) -> None:
        while not self.should_stop:
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=5_000)
            # A topic has more partitions now, so all positions are set anew.
            if consumer.assignment() != self._next.keys():
                await self._seek(consumer)
                continue
            for partition, records in batches.items():
                for record in records:
                    why = self._views.apply(partition.topic, record.key, record.value, record.headers)
                    if why is not None and self._own is not None:
                        unread = Unread(partition, record.offset, record.key, why, newer=False)
                        self._own.pass_by(unread, record.value)
            for partition in self._next:  # positions also pass offsets without records
                self._next[partition] = await consumer.position(partition)
            self._settle()

    def _settle(self) -> None:
        if all(self._next.get(partition, end) >= end for partition, end in self._ends.items()):
            self._views.ready = True
