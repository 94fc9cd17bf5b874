"""Which fields of the records and of the reports differ from the truth of the stories?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from detectors.history.history import BUCKET
from detectors.instants import MINUTE, SECOND, parse_instant
from streams.reports.document import Report
from streams.reports.episodes import Episode
from tests.incidents.played import Month, leaves
from tests.incidents.stories import Story
from tests.incidents.truth import Near, Told, at_work, local, told

__all__ = ["Compared", "compare", "unsourced"]


@dataclass
class Compared:
    """How many fields were compared, and those that differ: (what, field, true, found)."""

    fields: int = 0
    differ: list[tuple[str, str, Any, Any]] = field(default_factory=list)

    def check(self, what: str, name: str, true: Any, found: Any) -> None:
        """Compare one field."""
        self.fields += 1
        if not _equal(true, found):
            self.differ.append((what, name, true, found))

    def all(self, what: str, true: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Compare each field of the truth."""
        for name, value in true.items():
            self.check(what, name, value, found.get(name, "there is no such field"))

    @property
    def equal_share(self) -> float:
        """The share of the fields that are equal, 0-1."""
        return 1 - len(self.differ) / self.fields if self.fields else 1.0


def _equal(true: Any, found: Any) -> bool:
    if isinstance(true, Near):
        return isinstance(found, int | float) and true.low <= found <= true.high
    if isinstance(true, list) and isinstance(found, list):
        return len(true) == len(found) and all(map(_equal, true, found))
    if isinstance(true, float) and isinstance(found, int | float):
        return abs(true - found) <= 1e-6 * max(1.0, abs(true))
    return bool(true == found)


def compare(stories: Sequence[Story], month: Month) -> Compared:
    """Compare the records, the post-mortems and the month's reports of the stories with their truth."""
    out, start = Compared(), month.span.start
    truths = [told(story, start) for story in stories]
    episodes = month.episodes()
    out.check("the month", "incidents", len(stories), len({one.incident for one in episodes}))
    for number, (story, true) in enumerate(zip(stories, truths, strict=True), 1):
        name = f"prod-{number}"
        own = [one for one in episodes if one.incident == name]
        for n, expected in enumerate(true.epochs):
            out.all(
                f"{name}:{n} {story.detector}", expected, _of_episode(own[n], month) if n < len(own) else {}
            )
        _whole(out, name, true, own, month, episodes)
    response, sla = month.reports(episodes)
    _response(out, response, truths, start)
    _sla(out, sla, stories, truths, month)
    return out


def _second(at: int | None, start: int) -> int | None:
    return None if at is None else (at - start) // SECOND


def _of_episode(one: Episode, month: Month) -> dict[str, Any]:
    start, now = month.span.start, month.span.end
    return {
        **{
            name: _second(getattr(one, name), start)
            for name in ("opened_at", "first_bad_at", "acknowledged_at", "recovering_at", "resolved_at")
        },
        "acknowledged_by": one.acknowledged_by,
        "resolved_by": one.resolved_by,
        "peak_severity": one.peak_severity,
        "wakes": [_second(wake.at, start) for wake in one.wakes],
        "alerted": one.alerted,
        "response_kept": one.breach_at(month.policy, now) is None,
        "alert_kept": one.alert_breach_at(month.policy, now) is None,
        "notes": sorted((line.happened - start) // SECOND for line in one.lines if line.kind == "note"),
        "updates": sum(line.kind == "update" and line.by is not None for line in one.lines),
        "relapses": sum(line.kind == "relapsed" for line in one.lines),
        "csp_caused": one.csp_caused,
    }


def _whole(
    out: Compared, name: str, true: Told, own: Sequence[Episode], month: Month, episodes: Sequence[Episode]
) -> None:
    """Compare an incident's record, and its post-mortem."""
    start, record, data = month.span.start, month.incidents.get(name), {}
    if own:
        data = month.postmortem(episodes, name).data
    whole = dict(true.whole)
    causes, users = whole.pop("causes"), whole.pop("users")
    declared = next((one for one in own if one.declared_at is not None), None)
    found = {
        **data,
        "declared_at": None if declared is None else _second(declared.declared_at, start),
        "declared_by": None if declared is None else declared.declared_by,
        "follow_ups": [(one["text"], one.get("link")) for one in data.get("follow_ups", ())],
        "ticked": {one["item"]: one["done_by"] for one in data.get("checklist", ()) if one.get("done_at")},
    }
    out.all(name, whole, found)
    out.check(name, "users_impacted", users, data.get("users_impacted"))
    if causes is not None:
        out.check(name, "causes", list(causes), data.get("causes"))
    epoch = true.epochs[0]
    told_at = {
        key: None if data.get(key) is None else _second(parse_instant(data[key]), start)
        for key in ("began", "opened", "acknowledged")
    }
    out.check(name, "postmortem: began", epoch["first_bad_at"], told_at["began"])
    out.check(name, "postmortem: opened", epoch["opened_at"], told_at["opened"])
    out.check(name, "postmortem: acknowledged", epoch["acknowledged_at"], told_at["acknowledged"])
    out.check(
        name,
        "postmortem: response time kept",
        all(one["response_kept"] for one in true.epochs),
        data.get("response_time_kept"),
    )
    out.check(
        name,
        "postmortem: alert target kept",
        all(one["alert_kept"] for one in true.epochs),
        data.get("alert_target_kept"),
    )
    out.check(
        name,
        "postmortem: interruptions",
        sum(len(one["wakes"]) for one in true.epochs),
        data.get("interruptions"),
    )
    if record is not None:
        out.check(name, "record: state", "closed", record.state)
        out.check(name, "record: scope", whole["scope"], record.scope)
        out.check(name, "record: first_bad_at", epoch["first_bad_at"], _second(record.first_bad_at, start))
        out.check(name, "record: resolved_by", true.epochs[-1]["resolved_by"], record.resolved_by)
        out.check(name, "record: declared", whole["declared_at"] is not None, record.declared_at is not None)
    else:
        out.check(name, "record", True, False)


def _times(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"of": 0, "mean": None, "median": None}
    return {"of": len(values), "mean": float(fmean(values)), "median": float(median(values))}


def _figures(epochs: Sequence[Mapping[str, Any]], firsts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    acked = [one for one in epochs if one["acknowledged_at"] is not None]
    return {
        "incidents": len(epochs),
        "acknowledged": len(acked),
        "acknowledged_share": len(acked) / len(epochs) if epochs else None,
        "interruptions": sum(len(one["wakes"]) for one in epochs),
        "time_to_detect_seconds": _times([one["opened_at"] - one["first_bad_at"] for one in firsts]),
        "time_to_acknowledge_seconds": _times([one["acknowledged_at"] - one["opened_at"] for one in acked]),
        "time_to_resolve_seconds": _times([one["resolved_at"] - one["opened_at"] for one in epochs]),
    }


def _response(out: Compared, report: Report, truths: Sequence[Told], start: int) -> None:
    """Compare the month's report of response times."""
    every = [epoch for true in truths for epoch in true.epochs]
    firsts = [true.epochs[0] for true in truths]
    for name, value in _figures(every, firsts).items():
        _deep(out, f"mtta: {name}", value, report.data[name])
    for severity in (1, 2, 3):
        own = [one for one in every if one["peak_severity"] == severity]
        first = [one for one in firsts if one["peak_severity"] == severity]
        for name, value in _figures(own, first).items():
            _deep(
                out,
                f"mtta: severity {severity}: {name}",
                value,
                report.data["by_severity"][str(severity)][name],
            )
        found = report.data["compliance"][f"severity_{severity}"]
        kept = sum(one["response_kept"] for one in own)
        _deep(out, f"mtta: compliance {severity}", {"of": len(own), "kept": kept}, found)
    alerted = [one for one in every if one["alerted"]]
    kept = sum(one["alert_kept"] for one in alerted)
    _deep(
        out,
        "mtta: alert target",
        {"of": len(alerted), "kept": kept},
        report.data["compliance"]["alert_target"],
    )
    for scope in sorted({true.whole["scope"] for true in truths}):
        own = [one for true in truths if true.whole["scope"] == scope for one in true.epochs]
        first = [true.epochs[0] for true in truths if true.whole["scope"] == scope]
        for name, value in _figures(own, first).items():
            _deep(out, f"mtta: {scope}: {name}", value, report.data["by_scope"][scope][name])
    _interruptions(out, report, every, start)


def _interruptions(out: Compared, report: Report, every: Sequence[Mapping[str, Any]], start: int) -> None:
    """Compare when people were woken; a wake that is known within minutes may lie on either side of an hour."""
    wakes = [wake for one in every for wake in one["wakes"]]

    def near(holds: Any) -> Near:
        sides = [(holds(wake.low), holds(wake.high)) for wake in wakes]
        return Near(sum(map(all, sides)), sum(map(any, sides)))

    for hour in range(24):
        true = near(lambda at, hour=hour: local(start, at).hour == hour)
        out.check("mtta", f"interruptions at {hour}", true, report.data["interruptions_by_hour"][hour])
    for day in range(7):
        true = near(lambda at, day=day: local(start, at).weekday() == day)
        out.check("mtta", f"interruptions on day {day}", true, report.data["interruptions_by_weekday"][day])
    true = near(lambda at: not at_work(start, at))
    out.check("mtta", "outside business hours", true, report.data["interruptions_outside_business_hours"])


def _deep(out: Compared, what: str, true: Any, found: Any) -> None:
    if isinstance(true, Mapping):
        for name, value in true.items():
            _deep(out, f"{what}.{name}", value, found[name])
    else:
        out.check("reports", what, true, found)


def _sla(
    out: Compared, report: Report, stories: Sequence[Story], truths: Sequence[Told], month: Month
) -> None:
    """Compare the account of each method with what the leaves of its history say."""
    left_out = list(_left_out(stories, truths, month))
    for method, found in report.data["methods"].items():
        own = [leaf for leaf in leaves("prod") if leaf[0] == method]
        with_all, without = [0.0, 0.0], [0.0, 0.0]
        for leaf in own:
            for at, good, bad in month.counts(leaf):
                share = _counted(at, [(a, b) for a, b, scope in left_out if leaf in leaves(scope)])
                for n, amount in enumerate((good, bad)):
                    with_all[n] += amount
                    without[n] += amount * share
        what = f"sla: {method}"
        out.check("reports", f"{what}: with all", with_all[0] / sum(with_all), found["availability_with_all"])
        out.check("reports", f"{what}: counted", without[0] / sum(without), found["availability"])
        met = without[0] / sum(without) >= month.policy.objectives[method].availability
        out.check("reports", f"{what}: met", met, found["met"])
        out.check("reports", f"{what}: in time", 0.99, found["in_time_ratio"])
        minutes = (month.gap[1] - month.gap[0]) / MINUTE if method == "sis" else 0.0
        out.check("reports", f"{what}: maintenance minutes", minutes, found["maintenance_minutes"])


def _left_out(
    stories: Sequence[Story], truths: Sequence[Told], month: Month
) -> Iterator[tuple[int, int, str]]:
    """The spans (ms) of scopes that the SLA does not count: what providers have caused, and maintenance."""
    yield *month.gap, "prod/sis"
    for story, true in zip(stories, truths, strict=True):
        for epoch in true.epochs if story.csp_caused else ():
            ends = min(epoch["recovering_at"], epoch["resolved_at"])
            begin, end = (month.span.start + second * SECOND for second in (epoch["first_bad_at"], ends))
            # Of what a provider has caused, each five minutes that it touches are left out as a whole.
            yield begin - begin % BUCKET, end + -end % BUCKET, story.scope


def _counted(at: int, spans: Sequence[tuple[int, int]]) -> float:
    """The share of the five minutes from ``at`` on that no span covers."""
    covered = sum(max(min(end, at + BUCKET) - max(begin, at), 0) for begin, end in spans)
    return max(1 - covered / BUCKET, 0.0)


def unsourced(report: Report) -> list[str]:
    """The sentences and tables of a report that do not say where their numbers come from."""
    every = [report.about, *(item for section in report.sections for item in section.items)]
    return [str(one)[:120] for one in every if not one.source.strip()]
