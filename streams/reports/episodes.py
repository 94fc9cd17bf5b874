"""What happened in each incident, from its opening to its resolution, as the incident log tells it?

An *episode* is one epoch of an incident: an incident that reopens has another episode. All instants are ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from detectors.incidents import Common
from detectors.instants import parse_instant
from detectors.lifecycle.response_times import alert_deadline, deadline
from detectors.policy.policy import Policy
from streams.records.log_lines import Line, LoggedPage, each_once

__all__ = ["Episode", "Said", "Wake", "earlier_like", "episodes_of"]

#: Levels of PagerDuty that wake somebody; a warning has low urgency.
_WAKING = ("critical", "error")
#: Earlier incidents that are named.
_MOST_SIMILAR = 10
_OPENINGS = ("opened", "reopened")


@dataclass(frozen=True)
class Wake:
    """An alert that wakes somebody: when, with which level and key, and why."""

    at: int
    level: str
    dedup_key: str
    why: str


@dataclass(frozen=True)
class Said:
    """What a person or a receiver put on record."""

    at: int
    by: str
    text: str


@dataclass
class Episode:
    """One epoch of an incident.

    Attributes:
        incident: the id.
        scope: the last scope; ``scopes`` has (T, scope) of each change.
        severity: the last one; ``severities`` has (T, severity) of each change, from the opening on.
        users: the greatest number of people an hour that a line states, with its basis.
        first_bad_at: the first failing event; the opening if the log does not say.
        acknowledged_at: of the first acknowledgement of the episode.
        wakes: alerts that wake somebody.
        alerted: whether PagerDuty was alerted at all, be it with low urgency.
        csp_caused: whether the last finding on the incident's own scope was caused by a credential provider.
        lines: all lines of the episode, in order.
    """

    incident: str
    epoch: int
    scope: str
    severity: int
    opened_at: int
    first_bad_at: int
    peak_severity: int = 3
    users: int = 0
    basis: str = "observed"
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    declared_at: int | None = None
    declared_by: str | None = None
    recovering_at: int | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    resolved_reason: str = ""
    csp_caused: bool = False
    policy_hash: str = ""
    causes: tuple[str, ...] = ()
    common: tuple[Common, ...] = ()
    scopes: list[tuple[int, str]] = field(default_factory=list)
    severities: list[tuple[int, int]] = field(default_factory=list)
    wakes: list[Wake] = field(default_factory=list)
    alerted: bool = False
    notes: list[Said] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def env(self) -> str:
        """The environment."""
        return self.scope.partition("/")[0]

    @property
    def name(self) -> str:
        """``prod-3``, or ``prod-3, epoch 1`` of an incident that has reopened."""
        return f"{self.incident}, epoch {self.epoch}" if self.epoch else self.incident

    @property
    def answered_at(self) -> int | None:
        """When somebody had it, or it was over: the response clocks stop then."""
        ends = [at for at in (self.acknowledged_at, self.resolved_at) if at is not None]
        return min(ends, default=None)

    def breach_at(self, policy: Policy, now: int) -> int | None:
        """Return when (ms) the response time of its severity was over without an answer; None if it was kept.

        The severity at each instant decides, so that a rise brings the deadline forward.

        Args:
            policy: has the response times.
            now: an episode that nobody has answered is judged up to this instant, ms.
        """
        until = now if self.answered_at is None else self.answered_at
        ends = [at for at, _ in self.severities[1:]] + [until]
        for (since, severity), end in zip(self.severities, ends, strict=True):
            due = max(since, deadline(self.opened_at, severity, policy))
            if due < min(end, until):
                return due
        return None

    def alert_breach_at(self, policy: Policy, now: int) -> int | None:
        """Return when (ms) the target for any alert was over without an answer; None if it was kept.

        Where nobody was alerted there was nothing to answer.
        """
        if not self.alerted:
            return None
        due = alert_deadline(self.opened_at, policy)
        return due if due < (now if self.answered_at is None else self.answered_at) else None


def episodes_of(lines: Iterable[Line]) -> list[Episode]:
    """Return the episodes that lines of the incident log tell, in the order of their openings.

    An episode whose opening the log no longer has begins with its first line.
    """
    by_incident: dict[str, list[Line]] = {}
    for line in each_once(lines):
        if line.incident is not None and line.kind not in ("refused", "notice"):
            by_incident.setdefault(line.incident, []).append(line)
    found = [episode for own in by_incident.values() for episode in _of_incident(own)]
    return sorted(found, key=lambda one: (one.opened_at, one.incident))


def _of_incident(lines: Sequence[Line]) -> Iterator[Episode]:
    epochs = sorted({line.epoch for line in lines})
    for epoch in epochs:
        episode: Episode | None = None
        for line in (one for one in lines if one.epoch == epoch):
            episode = _begin(line) if episode is None else episode
            _add(episode, line)
        if episode is not None:
            yield episode


def _begin(line: Line) -> Episode:
    began = line.instant if line.first_bad_at is None else parse_instant(line.first_bad_at)
    return Episode(
        incident=line.incident or "",
        epoch=line.epoch,
        scope=line.scope,
        severity=line.severity,
        opened_at=line.instant,
        first_bad_at=min(began, line.instant) if line.epoch == 0 else line.instant,
        scopes=[(line.instant, line.scope)],
        severities=[(line.instant, line.severity)],
    )


def _add(episode: Episode, line: Line) -> None:
    at = line.instant
    episode.lines.append(line)
    if line.first_bad_at is not None and episode.epoch == 0:
        episode.first_bad_at = min(episode.first_bad_at, parse_instant(line.first_bad_at))
    if line.scope != episode.scope:
        episode.scope = line.scope
        episode.scopes.append((at, line.scope))
    if line.severity != episode.severity:
        episode.severity = line.severity
        episode.severities.append((at, line.severity))
    episode.peak_severity = min(episode.peak_severity, line.severity, line.peak_severity)
    if line.users_impacted > episode.users:
        episode.users, episode.basis = line.users_impacted, line.basis
    episode.causes = line.causes or episode.causes
    episode.common = line.common or episode.common
    episode.policy_hash = line.policy_hash or episode.policy_hash
    own = [one.csp_caused for one in line.evidence if one.scope == line.scope]
    episode.csp_caused = own[0] if own else episode.csp_caused
    wake = _wake(line, episode)
    episode.alerted |= wake is not None or isinstance(line.page, LoggedPage)
    if wake is not None:
        episode.wakes.append(wake)
    _move(episode, line, at)


def _move(episode: Episode, line: Line, at: int) -> None:
    """Take over what a person, or the life cycle, did with a line."""
    if line.kind == "acknowledged" and episode.acknowledged_at is None:
        episode.acknowledged_at, episode.acknowledged_by = at, line.by
    elif line.kind == "declared":
        episode.declared_at, episode.declared_by = at, line.by or "the policy"
    elif line.kind == "recovering":
        episode.recovering_at = at
    elif line.kind == "relapsed":
        episode.recovering_at = None
    elif line.kind == "resolved":
        episode.resolved_at, episode.resolved_by, episode.resolved_reason = at, line.by, line.reason
    elif line.kind == "note":
        episode.notes.append(Said(at, line.by or "somebody", line.reason))


def _wake(line: Line, episode: Episode) -> Wake | None:
    """Return the alert that a line triggered, if it wakes somebody.

    A line of a version that does not say which alert it triggered tells an alert where an incident of prod with
    severity 1 or 2 opened, reopened, or rose from severity 3.
    """
    if isinstance(line.page, LoggedPage):
        key = line.page.dedup_key
        # A further trigger at a key raises the alert's severity, and wakes nobody who was woken by it.
        if line.page.level not in _WAKING or any(wake.dedup_key == key for wake in episode.wakes):
            return None
        return Wake(line.instant, line.page.level, line.page.dedup_key, line.reason)
    if line.page is None or episode.wakes or episode.env != "prod" or line.severity > 2:
        return None
    if line.kind not in (*_OPENINGS, "severity", "cause", "page_due"):
        return None
    level = "critical" if line.severity == 1 else "error"
    return Wake(line.instant, level, f"{episode.incident}:{episode.epoch}", line.reason)


def earlier_like(episodes: Sequence[Episode], others: Iterable[Episode]) -> list[Episode]:
    """The last earlier incidents on the same scope that share a cause, the oldest first.

    Args:
        episodes: of one incident, in order.
        others: all other episodes that are known.
    """
    last = episodes[-1]
    alike = [
        one
        for one in others
        if one.scope == last.scope
        and set(one.causes) & set(last.causes)
        and one.opened_at < episodes[0].opened_at
    ]
    return sorted(alike, key=lambda one: one.opened_at)[-_MOST_SIMILAR:]
