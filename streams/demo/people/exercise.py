"""How does an exercise differ from an outage and from a demo, and how well did people answer it?

An exercise has settings of its own (``WATCHOFFICER_EXERCISE_...``), topics of its own, and says EXERCISE wherever an
incident is named. What it scores stands in the incident log; nothing is asked of those who took part.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from detectors.errors import WatchofficerError
from detectors.instants import format_duration, format_instant
from detectors.policy.policy import Policy
from sinks.wording import EXERCISE, ScopeNames, capitalised, day_words, duration_words
from streams.reports.conduct import conduct_data, longest_silence
from streams.reports.document import Cell, Report, Section, Sentence, Table
from streams.reports.episodes import Episode
from streams.settings.settings import (
    PREFIX,
    Settings,
    SettingsError,
    SettingsProblem,
    read_settings,
)

__all__ = ["NotARoute", "exercise_policy", "exercise_report", "exercise_settings"]

#: What the variables of an exercise begin with; the rest is as of the watch itself.
EXERCISE_PREFIX = f"{PREFIX}EXERCISE_"


class NotARoute(WatchofficerError):
    """An exercise would reach those whom an outage reaches. The message is one line."""


class _Answer(NamedTuple):
    """One thing that was asked of people: what, how it went, and whether it was kept."""

    asked: str
    went: str
    kept: bool


def exercise_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of an exercise from the environment.

    Raises:
        SettingsError: variables cannot be used.
        NotARoute: a receiver is that of the watch itself, or one that the public sees.
    """
    own = {
        PREFIX + name.removeprefix(EXERCISE_PREFIX): value
        for name, value in environ.items()
        if name.startswith(EXERCISE_PREFIX)
    }
    try:
        settings = read_settings(own)
    except SettingsError as error:
        problems = (SettingsProblem(_renamed(one.variable), one.message) for one in error.problems)
        raise SettingsError(tuple(problems)) from None
    if settings.doubts:
        raise NotARoute("; ".join(map(_renamed, settings.doubts)))
    real = dict(read_settings(environ).receivers())
    for name, receiver in settings.receivers():
        if not receiver.on:
            continue
        if name.partition(":")[0] == "statuspage":
            raise NotARoute(f"{EXERCISE_PREFIX}STATUSPAGE__...: the public hears of no exercise; unset it")
        if any(other.on and other == receiver for other in real.values()):
            raise NotARoute(
                f"{EXERCISE_PREFIX}{name.upper()}__...: this is the route of real incidents; give the exercise another"
            )
    return settings


def _renamed(text: str) -> str:
    return text if text.startswith(EXERCISE_PREFIX) else text.replace(PREFIX, EXERCISE_PREFIX)


def exercise_policy(policy: Policy) -> Policy:
    """Return the policy as an exercise has it: each key begins with ``exercise``, by which texts are marked too."""
    values = json.loads(policy.canonical())
    values["notify"]["dedup_prefix"] = EXERCISE
    return Policy.model_validate(values)


def exercise_report(scenario: str, episodes: Sequence[Episode], policy: Policy, *, now: int) -> Report:
    """Score how people answered the incidents of an exercise.

    Args:
        scenario: its name.
        episodes: of production, as its log tells them.
        policy: has what is promised.
        now: what is still open is scored as of this instant, ms.

    Returns:
        the report; ``data`` has the numbers of answers ``kept`` and ``asked``, and each of them.
    """
    names, log, every = ScopeNames(policy), "incident-log of the exercise", list[dict[str, Any]]()
    report = Report(f"Exercise {scenario}", Sentence("No incident opened, so that nobody could answer.", log))
    for name in dict.fromkeys(one.incident for one in episodes):
        own = [one for one in episodes if one.incident == name]
        answers = list(_answers(own, policy, now))
        rows: list[tuple[Cell, ...]] = [
            (one.asked, one.went, "kept" if one.kept else "missed") for one in answers
        ]
        title = f"{name}: {capitalised(names.words(own[-1].scope))}, severity {own[-1].peak_severity}"
        source = f"{log}, {name}; policy {policy.hash}"
        report.sections.append(Section(title, [Table(("asked", "went", ""), rows, source)]))
        every += [{"incident": name, **one._asdict()} for one in answers]
    kept = sum(one["kept"] for one in every)
    if every:
        words = f"{kept} of {len(every)} answers were as the process asks ({kept / len(every):.0%})."
        report.about = Sentence(words, log)
    report.data = {"scenario": scenario, "kept": kept, "asked": len(every), "answers": every}
    return report


def _answers(own: Sequence[Episode], policy: Policy, now: int) -> Iterator[_Answer]:
    first, last, conduct = own[0], own[-1], conduct_data(own)
    rules = policy.lifecycle
    late = [one.breach_at(policy, now) for one in own if one.breach_at(policy, now) is not None]
    target = first.opened_at + rules.alert_target
    answered = first.acknowledged_at
    went = "nobody did" if answered is None else f"{_after(first, answered)}, by {first.acknowledged_by}"
    yield _Answer(
        f"acknowledge within {format_duration(rules.alert_target)}",
        went,
        answered is not None and answered <= target,
    )
    yield _Answer(
        f"acknowledge within the response time of severity {last.peak_severity}",
        went,
        answered is not None and not late,
    )
    declared = next((one for one in own if one.declared_at is not None), None)
    said = (
        "it was not"
        if declared is None
        else f"{_after(declared, declared.declared_at)}, by {declared.declared_by}"
    )
    yield _Answer("say whether it is a service outage: declare it", said, declared is not None)
    for role in ("commander", "technical_lead"):
        who = conduct["roles"].get(role)
        yield _Answer(f"name a {role.replace('_', ' ')}", who or "nobody was", who is not None)
    kinds = [line for one in own for line in one.lines]
    eta = [line for line in kinds if line.kind == "eta"]
    yield _Answer("estimate the end", day_words(eta[0].instant) if eta else "nobody did", bool(eta))
    people = conduct["updates_by_people"]
    yield _Answer("tell those who wait, in words of your own", f"{people} updates by people", people > 0)
    silence = max(longest_silence(one) for one in own)
    yield _Answer(
        f"let nobody wait longer than {format_duration(rules.update_every)}",
        f"at most {duration_words(silence)} without news",
        silence <= rules.update_every + policy.step,
    )
    notes = sum(len(one.notes) for one in own)
    yield _Answer("note what was done, and when", f"{notes} notes", notes > 0)
    yield from _afterwards(last, conduct)


def _afterwards(last: Episode, conduct: Mapping[str, Any]) -> Iterator[_Answer]:
    over = "it is open" if last.resolved_at is None else _after(last, last.resolved_at)
    yield _Answer("resolve it", over, last.resolved_at is not None)
    checks = conduct["checklist"]
    left = [check["text"] for check in checks if check.get("done_at") is None]
    ticked = f"{len(checks) - len(left)} of {len(checks)} lines"
    yield _Answer("tick the recovery checklist", ticked, bool(checks) and not left)
    tasks = conduct["follow_ups"]
    tracked = sum(bool(task.get("link") or task.get("done_at")) for task in tasks)
    yield _Answer(
        "put down what is left to do, with links",
        f"{tracked} of {len(tasks)}",
        bool(tasks) and tracked == len(tasks),
    )
    who = conduct["completed_by"]
    yield _Answer(
        "link the post-mortem, and complete it", f"by {who}" if who else "nobody did", who is not None
    )


def _after(one: Episode, at: int | None) -> str:
    return "" if at is None else f"{duration_words(at - one.opened_at)} after it opened, {format_instant(at)}"
