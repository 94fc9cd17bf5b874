"""What does the quality report contain? Cases, figures and faults, as Markdown with plots, and raw results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.quality.cases import TUNING_SEEDS
from benchmarks.quality.findings import findings
from benchmarks.quality.runs import Run
from benchmarks.reporting.plots import Row, strips
from detectors.backtest.score import Answer
from detectors.backtest.totals import Delays, Totals, totals
from detectors.instants import DAY, MINUTE, SECOND

__all__ = ["GOALS", "Goal", "write_report"]

#: The number of cases of each kind of fault that the report names; the raw results hold all of them.
_NAMED = 12
#: The number of slow pages of each situation that the report names.
_SLOWEST = 4
_SITUATIONS = (
    "total, at peak",
    "total, with less traffic",
    "partial, rising, flapping",
    "silence",
    "lost returns",
    "surge, slowness",
)


@dataclass(frozen=True)
class Goal:
    """A figure with its goal."""

    name: str
    asked: str
    of: Callable[[Sequence[Run]], float | None]
    met: Callable[[float], bool]
    shown: Callable[[float], str] = "{:.3f}".format


def delays_at_peak(runs: Sequence[Run]) -> Delays:
    """Return the delays to the page of severity 1, of sudden and total failures at peak that were not missed."""
    return Delays.of(
        answer.to_page
        for run in runs
        if run.total and run.at_peak
        for answer in run.score.answers
        if answer.label.severity == 1 and answer.label.kind == "outage"
    )


def _median(runs: Sequence[Run]) -> float | None:
    return delays_at_peak(runs).median


def _worst(runs: Sequence[Run]) -> float | None:
    return delays_at_peak(runs).worst


def _figure(name: str) -> Callable[[Sequence[Run]], float | None]:
    def of(runs: Sequence[Run]) -> float | None:
        value: float | None = getattr(totals(run.score for run in runs), name)
        return value

    return of


def _ended_by_day(runs: Sequence[Run]) -> float | None:
    """Return the share of well-ended incidents by day; at night there may be no evidence of an end for hours."""
    return totals(run.score for run in runs if not run.at_night).ended_well


def _seconds(millis: float) -> str:
    return f"{millis / SECOND:.1f} s"


GOALS = (
    Goal("recall", "≥ 0.995", _figure("recall"), lambda share: share >= 0.995),
    Goal("false pages", "0", _figure("false_pages"), lambda count: count == 0, "{:.0f}".format),
    Goal("right scope", "≥ 0.99", _figure("scope_right"), lambda share: share >= 0.99),
    Goal("right peak severity", "≥ 0.98", _figure("severity_right"), lambda share: share >= 0.98),
    Goal("severity 1, delay to page, median", "≤ 6 s", _median, lambda ms: ms <= 6 * SECOND, _seconds),
    Goal("severity 1, delay to page, worst", "≤ 30 s", _worst, lambda ms: ms <= 30 * SECOND, _seconds),
    Goal("one incident for one outage", "1", _figure("alone_share"), lambda share: share == 1),
    Goal("resolved in time, except at night", "≥ 0.99", _ended_by_day, lambda share: share >= 0.99),
)


def write_report(runs: Sequence[Run], folder: Path, policy: str) -> None:
    """Write ``quality.md`` and, in ``quality/``, the plots and the raw results.

    Args:
        runs: all runs.
        folder: the folder to write into.
        policy: the hash of the policy of the runs.
    """
    beside = folder / "quality"
    beside.mkdir(parents=True, exist_ok=True)
    for name, plot in _plots(runs).items():
        (beside / f"{name}.svg").write_text(plot)
    lines = b",\n".join(msgspec.json.encode(run) for run in runs)
    (beside / "results.json").write_bytes(b"[\n" + lines + b"\n]\n")
    (folder / "quality.md").write_text("\n".join(_page(runs, policy)) + "\n")


def situation(run: Run, answer: Answer) -> str:
    """Return which of ``_SITUATIONS`` a label belongs to."""
    kind = answer.label.kind
    if kind == "outage":
        if not run.total:
            return _SITUATIONS[2]
        busy = run.at_peak and answer.label.scope.startswith("prod")
        return _SITUATIONS[0] if busy else _SITUATIONS[1]
    return {"silence": _SITUATIONS[3], "funnel": _SITUATIONS[4]}.get(kind, _SITUATIONS[5])


# -- the page -----------------------------------------------------------------------------------------------


def _page(runs: Sequence[Run], policy: str) -> list[str]:
    suites = {
        suite: [run for run in runs if run.case.suite == suite] for suite in ("library", "drawn", "days")
    }
    labelled = [*suites["library"], *suites["drawn"]]
    return [
        "# How well outages are found",
        "",
        *_intro(suites, policy),
        "",
        *_goals(suites, labelled),
        "",
        "## How soon",
        "",
        "Event time from the start of an outage to the page (or to the opening, if nobody must be woken). The",
        "line on each row is its median.",
        "",
        "![Delays](quality/delays.svg)",
        "",
        *_delays(labelled),
        "",
        *_slowest(labelled),
        "",
        "## How soon it resolves",
        "",
        "![Recovery](quality/recovery.svg)",
        "",
        *_endings(labelled),
        "",
        "## Confusions",
        "",
        *_confusions(labelled),
        "",
        "## Each scenario",
        "",
        *_scenarios(runs),
        "",
        "## What went wrong",
        "",
        *_faults(runs),
    ]


def _intro(suites: dict[str, list[Run]], policy: str) -> list[str]:
    library, drawn, days = suites["library"], suites["drawn"], suites["days"]
    seeds = sorted({run.case.seed for run in library})
    healthy = sum(run.duration for run in days) // DAY
    events = sum(run.events for some in suites.values() for run in some)
    played = "1 seed each" if len(seeds) == 1 else f"{len(seeds)} seeds each"
    return [
        "Written by `make quality`; the raw results are in [quality/results.json](quality/results.json).",
        "",
        f"* **Library**: {len({run.case.kind for run in library})} scenarios with {played} ({_span(seeds)})."
        " A seed varies the day, the hour, length, share and size of the episodes, and how",
        "  well the two weeks before predict the day.",
        f"* **Drawn**: {len(drawn)} random situations: effect, scope, steps, share, steepness, length and"
        " time of day, sometimes two outages at once, sometimes none.",
        *(
            [f"* **Days**: {healthy} consecutive healthy days with nights, weekends, holidays and deploys."]
            if days
            else []
        ),
        "",
        f"Together {events:,} events, judged by policy `{policy}` as `watchofficer replay` judges them, with the"
        " history of the two weeks",
        "before. The truth comes from the simulator, which knows all failures that it caused."
        + (" No detector was tuned on these seeds." if not set(seeds) & set(TUNING_SEEDS) else ""),
    ]


def _goals(suites: dict[str, list[Run]], labelled: list[Run]) -> list[str]:
    columns = [("library", suites["library"]), ("drawn", suites["drawn"]), ("days", suites["days"])]
    rows = []
    for goal in GOALS:
        value = goal.of([*labelled, *suites["days"]])
        verdict = "-" if value is None else ("yes" if goal.met(value) else "**no**")
        cells = ["-" if (one := goal.of(some)) is None else goal.shown(one) for _, some in columns]
        if goal.name != "false pages":
            cells[2] = "-"
        rows.append([goal.name, goal.asked, *cells, verdict])
    return _table(["", "goal", *(f"{name} ({len(some)} runs)" for name, some in columns), "met"], rows)


def _delays(runs: Sequence[Run]) -> list[str]:
    rows = []
    for name in _SITUATIONS:
        mine = [answer for run in runs for answer in run.score.answers if situation(run, answer) == name]
        must = [answer for answer in mine if answer.label.page]
        opened, paged = Delays.of(a.to_open for a in mine), Delays.of(a.to_page for a in must)
        rows.append([name, str(len(mine)), _spread(opened), str(len(must)), _spread(paged)])
    return _table(["", "labels", "to opening, median / worst", "must page", "to page, median / worst"], rows)


def _slowest(runs: Sequence[Run]) -> list[str]:
    out = []
    for name in _SITUATIONS[:5]:
        paged = [
            (answer.to_page, run.case.name, answer.label.scope, answer.label.users or 0)
            for run in runs
            for answer in run.score.answers
            if answer.to_page is not None and answer.label.page and situation(run, answer) == name
        ]
        worst = sorted(paged, key=lambda one: (-one[0], one[1:]))[:_SLOWEST]
        if worst:
            pages = (f"{ms / SECOND:,.0f} s {case} ({scope}, {n:,} people)" for ms, case, scope, n in worst)
            out.append(f"* {name}: {'; '.join(pages)}")
    return ["The slowest pages:", "", *out]


def _endings(runs: Sequence[Run]) -> list[str]:
    kinds: dict[str, Counter[str]] = {}
    for run in runs:
        for answer in run.score.answers:
            if answer.ending:
                name = answer.label.kind + (", at night" if run.at_night else "")
                kinds.setdefault(name, Counter())[answer.ending] += 1
    endings = ("in time", "faded", "late", "early", "not over", "unknown")
    rows = [[kind, *(str(counts[one]) for one in endings)] for kind, counts in sorted(kinds.items())]
    return [
        "In time: within 20 min of the end, 45 min for lost returns and surges. Faded: for lack of evidence, as"
        " in a quiet night.",
        "Unknown: the input ended earlier.",
        "",
        *_table(["", *endings], rows),
    ]


def _confusions(runs: Sequence[Run]) -> list[str]:
    sums = totals(run.score for run in runs)
    return [
        "Peak severity, true (rows) and found (columns):",
        "",
        *_matrix(sums.severity),
        "",
        "Cause, by kind of label and the detectors that found it:",
        "",
        *_matrix(sums.cause),
        "",
        *_scopes(sums),
    ]


def _scopes(sums: Totals) -> list[str]:
    wrong = {(truth, found): n for (truth, found), n in sums.scope.items() if truth != found}
    right = sum(sums.scope.values()) - sum(wrong.values())
    rows = [
        [truth, found or "missed", str(count), str(sum(n for (t, _), n in sums.scope.items() if t == truth))]
        for (truth, found), count in sorted(
            wrong.items(), key=lambda item: (-item[1], item[0][0], str(item[0][1]))
        )
    ]
    said = f"Scope: {right} of {sum(sums.scope.values())} labels have an incident on their own scope"
    return (
        [f"{said}.", ""]
        if not rows
        else [f"{said}; the others are:", "", *_table(["true", "found", "labels", "of"], rows)]
    )


def _scenarios(runs: Sequence[Run]) -> list[str]:
    kinds: dict[str, list[Run]] = {}
    for run in runs:
        kinds.setdefault(run.case.kind, []).append(run)
    rows = []
    for kind, mine in kinds.items():
        sums = totals(run.score for run in mine)
        must = sums.must_page + sums.must_notice
        rows.append(
            [
                f"`{kind}`",
                str(len(mine)),
                f"{sums.paged + sums.noticed} / {must}" if must else "-",
                _spread(sums.to_page if sums.to_page.values else sums.to_open),
                _share(sums.scope_right),
                _share(sums.severity_right),
                _share(sums.alone_share),
                _share(sums.ended_well),
                str(sums.false_pages or "-"),
                str(sums.false_incidents or "-"),
            ]
        )
    head = [
        "",
        "runs",
        "met",
        "median / worst",
        "scope",
        "severity",
        "alone",
        "over",
        "false pages",
        "false incidents",
    ]
    return _table(head, rows)


def _faults(runs: Sequence[Run]) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for what, how in findings(runs):
        by_kind.setdefault(what, []).append(how)
    if not by_kind:
        return ["Nothing."]
    out: list[str] = []
    for what, ways in sorted(by_kind.items()):
        out += [f"### {what.capitalize()} ({len(ways)})", ""]
        out += [f"* {how}" for how in ways[:_NAMED]]
        if len(ways) > _NAMED:
            out.append(f"* and {len(ways) - _NAMED} more")
        out.append("")
    return out[:-1]


# -- plots --------------------------------------------------------------------------------------------------


def _plots(runs: Sequence[Run]) -> dict[str, str]:
    delays: dict[str, list[tuple[float | None, str]]] = {name: [] for name in _SITUATIONS}
    recovery: dict[str, list[tuple[float | None, str]]] = {name: [] for name in _SITUATIONS}
    for run in runs:
        for answer in run.score.answers:
            name = situation(run, answer)
            place = f"{run.case.name}, {answer.label.scope}"
            if answer.label.page is not None:
                delay = answer.to_page if answer.label.page else answer.to_open
                delays[name].append((None if delay is None else delay / SECOND, place))
            if answer.ending not in (None, "unknown", "early"):
                took = answer.recovery
                recovery[name].append((None if took is None else took / MINUTE, place))
    return {
        "delays": strips("Delay", "seconds", [Row(*row) for row in delays.items()], goal=45),
        "recovery": strips(
            "From the end of the trouble to the resolution",
            "minutes",
            [Row(*r) for r in recovery.items()],
            goal=20,
        ),
    }


# -- cells --------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _matrix(confusion: Counter[Any]) -> list[str]:
    truths = sorted({str(truth) for truth, _ in confusion})
    found = sorted({str(got) for _, got in confusion})
    counts = {(str(truth), str(got)): n for (truth, got), n in confusion.items()}
    rows = [[truth, *(str(counts.get((truth, got), "")) for got in found)] for truth in truths]
    return _table(["", *(name.replace("None", "missed") for name in found)], rows)


def _spread(delays: Delays) -> str:
    middle, worst = delays.median, delays.worst
    if middle is None or worst is None:
        return "-"
    return f"{middle / SECOND:,.0f} / {worst / SECOND:,.0f} s"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _span(seeds: Sequence[int]) -> str:
    return " to ".join(map(str, dict.fromkeys((*seeds[:1], *seeds[-1:])))) or "none"
