"""Does what happened meet what was expected, and if not, what came nearest?

Everything that can be expected is an *observation*: values that held from one T to another (a message holds for an
instant). A pattern matches an observation if all fields that the pattern names agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.incidents import Incident
from detectors.policy.source import Path, Source
from detectors.policy.types import Section
from streams.policy_tests.document import PolicyTest
from streams.policy_tests.matchers import (
    Absence,
    BannerPattern,
    IncidentPattern,
    NotificationPattern,
    Numbers,
    Patterns,
    Span,
)
from streams.policy_tests.runner import Run

__all__ = ["Failure", "failures", "offset"]

#: Fields of a pattern that are no field of an observation.
_OTHERWISE = frozenset({"says", "count"})


@dataclass(frozen=True)
class Failure:
    """One expectation that was not met.

    Attributes:
        line: where it stands.
        where: its place in the test and its time, in words.
        expected: in words.
        got: what was there instead.
        nearest: what came nearest, and how it differs; None if nothing came near.
    """

    line: int
    where: str
    expected: str
    got: str
    nearest: str | None = None

    def lines(self) -> list[str]:
        """The failure for people."""
        out = [f"line {self.line}, {self.where}", f"  expected  {self.expected}", f"  got       {self.got}"]
        return [*out, f"  nearest   {self.nearest}"] if self.nearest else out


@dataclass(frozen=True)
class Observation:
    """Values that stood from ``begin`` to ``end`` (the last T, ms)."""

    begin: int
    end: int
    values: dict[str, Any]
    sentence: str = ""

    def overlaps(self, begin: int, end: int) -> bool:
        """Return whether the values stood at any T from ``begin`` to ``end`` (ms)."""
        return self.begin <= end and begin <= self.end

    def distance(self, begin: int, end: int) -> int:
        """Return the ms from a span to the values: positive if they stood after it, negative if before, 0 if within."""
        return max(self.begin - end, 0) - max(begin - self.end, 0)


def failures(test: PolicyTest, source: Source, path: Path, run: Run) -> list[Failure]:
    """What was expected of a test and is not so.

    Args:
        source, path: the document, and where the test stands in it.
    """
    matcher = _Matcher(run)
    out: list[Failure] = []
    for name, groups in (("expect", test.expect), ("absent", test.absent)):
        for i, group in enumerate(groups):
            for kind, j, pattern in group.patterns():
                failure = matcher.judge(group, kind, pattern)
                if failure is not None:
                    place = source.problem((*path, name, i, kind, j), "").line
                    where = f"{name}[{i}].{kind}[{j}] {failure.where}"
                    out.append(Failure(place, where, failure.expected, failure.got, failure.nearest))
    return out


def offset(at: int, start: int) -> str:
    """``10m20s``: how long after the start, or before it."""
    seconds, millis = divmod(abs(at - start), 1000)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if rest or millis or not text:
        text += f"{rest}.{millis:03d}s" if millis else f"{rest}s"
    return f"-{text}" if at < start else text


class _Matcher:
    """Matches patterns with the observations of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known = {
            "findings": list(_findings(run)),
            "notifications": list(_notifications(run)),
        }

    def judge(self, group: Patterns, kind: str, pattern: Section) -> Failure | None:
        """Whether a pattern fails, and how."""
        begin, end = self._bounds(group.span)
        if begin > self._run.until:
            ends = f"the test ends at {offset(self._run.until, self._run.start)} (see until)"
            return Failure(0, _when(group), _words(pattern), ends)
        observations = self._observations(kind, pattern)
        inside = [one for one in observations if one.overlaps(begin, end)]
        meeting = [one for one in inside if _meets(pattern, one)]
        where = _when(group)
        expected = _words(pattern)
        if isinstance(group, Absence):
            if not meeting:
                return None
            return Failure(0, where, f"no {_NOUNS[kind]} with {expected}", self._describe(meeting[0]))
        if isinstance(pattern, NotificationPattern) and pattern.count is not None:
            if len(meeting) in pattern.count:
                return None
            times = ", ".join(offset(one.begin, self._run.start) for one in meeting[:10])
            got = f"{len(meeting)} of them" + (f", at {times}" if times else "")
            return Failure(0, where, f"{pattern.count.text} messages with {expected}", got)
        if group.throughout is not None:
            gap = self._gap(meeting, begin, end)
            if gap is None:
                return None
            now = [one for one in inside if one.overlaps(gap, gap)]
            got = f"not so at {offset(gap, self._run.start)}: {self._what_was(pattern, now, kind)}"
            return Failure(0, where, expected, got)
        if meeting:
            return None
        got = self._what_was(pattern, inside, kind)
        return Failure(0, where, expected, got, self._nearest(pattern, observations, inside, begin, end))

    def _bounds(self, span: Span | None) -> tuple[int, int]:
        """The T of a span; the T before an instant that is none."""
        start, until, step = self._run.start, self._run.until, self._run.step
        begin = span.begin.at(start) if span is not None and span.begin is not None else start
        end = span.end.at(start) if span is not None and span.end is not None else until
        if span is not None and span.begin == span.end and span.begin is not None:
            begin = end = end - end % step
        return begin, end

    def _observations(self, kind: str, pattern: Section) -> list[Observation]:
        if isinstance(pattern, BannerPattern):
            return list(_banners(self._run, pattern.key))
        if isinstance(pattern, IncidentPattern):
            return list(_incidents(self._run, _named(pattern), pattern.says is not None))
        return self._known[kind]

    def _gap(self, meeting: Sequence[Observation], begin: int, end: int) -> int | None:
        """The first T of a span that no observation covers."""
        step = self._run.step
        at = -(-begin // step) * step
        for one in sorted(meeting, key=lambda one: one.begin):
            if one.begin > at:
                break
            at = max(at, one.end + step)
        return at if at <= end else None

    def _what_was(self, pattern: Section, inside: Sequence[Observation], kind: str) -> str:
        if not inside:
            return f"no {_NOUNS[kind]}"
        best = max(inside, key=lambda one: len(_named(pattern)) - len(_differences(pattern, one)))
        return f"{self._describe(best)}{_differ(pattern, best)}"

    def _nearest(
        self,
        pattern: Section,
        observations: Sequence[Observation],
        inside: Sequence[Observation],
        begin: int,
        end: int,
    ) -> str | None:
        """What would have met the pattern at another time; or else, where nothing was there, what nearly does."""
        met = [one for one in observations if _meets(pattern, one)]
        if met:
            nearest = min(met, key=lambda one: abs(one.distance(begin, end)))
            away = nearest.distance(begin, end)
            side = "after" if away > 0 else "before"
            return f"{offset(abs(away), 0)} {side}: {self._describe(nearest)}"
        others = [one for one in observations if one not in inside]
        if inside or not others:
            return None
        best = min(others, key=lambda one: (len(_differences(pattern, one)), abs(one.distance(begin, end))))
        return f"{self._describe(best)}{_differ(pattern, best)}"

    def _describe(self, one: Observation) -> str:
        start = self._run.start
        when = offset(one.begin, start)
        if one.end != one.begin:
            when += f"..{offset(one.end, start)}"
        shown = " ".join(_value(value) for value in one.values.values() if value not in (None, "", 0))
        return f"{when} {shown}" + (f": {one.sentence}" if one.sentence else "")


_NOUNS = {"findings": "finding", "incidents": "incident", "notifications": "message", "banners": "banner"}


def _when(group: Patterns) -> str:
    for name in ("at", "within", "throughout"):
        span = getattr(group, name)
        if span is not None:
            return f"{name} {span.text}"
    return "ever"


def _named(pattern: Section) -> dict[str, Any]:
    """The fields that a pattern names."""
    return {
        name: getattr(pattern, name)
        for name in type(pattern).model_fields
        if name not in _OTHERWISE and getattr(pattern, name) is not None
    }


def _words(pattern: Section) -> str:
    parts = [f"{name} {_value(wanted)}" for name, wanted in _named(pattern).items()]
    if says := getattr(pattern, "says", None):
        parts.append(f"saying {says!r}")
    return ", ".join(parts) or "any"


def _value(value: Any) -> str:
    if isinstance(value, Numbers):
        return value.text
    if isinstance(value, tuple):
        return "|".join(str(one) for one in value)
    return str(value)


def _differences(pattern: Section, one: Observation) -> list[str]:
    """The fields in which an observation differs from the pattern."""
    out = [name for name, wanted in _named(pattern).items() if not _agrees(wanted, one.values[name])]
    says = getattr(pattern, "says", None)
    return [*out, "says"] if says is not None and says not in one.sentence else out


def _agrees(wanted: Any, seen: Any) -> bool:
    if isinstance(seen, tuple):
        return isinstance(wanted, tuple) and any(one in wanted for one in seen)
    if isinstance(wanted, bool):
        return wanted is bool(seen)
    return bool(seen in wanted)


def _meets(pattern: Section, one: Observation) -> bool:
    return not _differences(pattern, one)


def _differ(pattern: Section, one: Observation) -> str:
    wrong = [name for name in _differences(pattern, one) if name != "says"]
    return f" (differs in {', '.join(wrong)})" if wrong else ""


# -- observations -------------------------------------------------------------------------------------------------


def _findings(run: Run) -> Iterator[Observation]:
    for (detector, scope), changes in run.findings.items():
        ends = [change.at - run.step for change in changes[1:]] + [run.until]
        for change, end in zip(changes, ends, strict=True):
            values = {"detector": detector, "scope": scope, "state": change.state}
            yield Observation(change.at, end, values, change.sentence)


#: What an incident is shown with, whatever is asked of it.
_SHOWN = ("id", "scope", "state", "severity")


def _incidents(run: Run, asked: Iterable[str], by_sentence: bool) -> Iterator[Observation]:
    """Incidents, each for as long as neither what is shown nor what is asked for changes."""
    fields = (*_SHOWN, *(name for name in asked if name not in _SHOWN))
    began: dict[str, tuple[int, dict[str, Any], str]] = {}
    for at, standing in [*run.incidents, (run.until + run.step, ())]:
        now = {incident.id: _seen(incident, fields) for incident in standing}
        sentences = {incident.id: incident.sentence for incident in standing}
        for name, (since, values, sentence) in list(began.items()):
            if now.get(name) != values or (by_sentence and sentences[name] != sentence):
                yield Observation(since, at - run.step, values, sentence)
                del began[name]
        for name, values in now.items():
            began.setdefault(name, (at, values, sentences[name]))
    for transition in run.transitions:
        if transition.kind == "closed" and transition.at <= run.until:
            incident = transition.incident
            yield Observation(transition.at, run.until, _seen(incident, fields), incident.sentence)


def _seen(incident: Incident, fields: Iterable[str]) -> dict[str, Any]:
    return {
        name: incident.fail_over is not None if name == "fail_over" else getattr(incident, name)
        for name in fields
    }


def _notifications(run: Run) -> Iterator[Observation]:
    for command in run.commands:
        if command.at <= run.until:
            values = {
                "sink": command.sink,
                "action": command.action,
                "level": command.level,
                "kind": command.kind,
                "incident": command.incident_id,
                "epoch": command.epoch,
            }
            yield Observation(command.at, command.at, values, command.reason)


def _banners(run: Run, key: str) -> Iterator[Observation]:
    status, since = "ok", run.start
    for change in [t for t in run.banners.get(key, []) if t.at <= run.until]:
        if change.status != status:
            yield Observation(since, change.at - run.step, {"key": key, "status": status})
            status, since = change.status, change.at
    yield Observation(since, run.until, {"key": key, "status": status})
