"""What does `watchofficer replay` read, and what does it print: a table, or JSON lines?"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import msgspec

from detectors.backtest.comparison import Change, compare
from detectors.backtest.labels import Label
from detectors.backtest.outcomes import Outcome, Outcomes
from detectors.backtest.score import Score, score
from detectors.instants import format_instant
from detectors.policy.policy import Policy
from streams.cli.guidance.progress import Progress, expected_records, followed
from streams.cli.replaying.runs import Given, Runs, RunsApart, RunsHere
from streams.evaluate.evaluator import Verdict
from streams.records.policies import PolicySchedule
from streams.records.verdicts import log_line
from streams.replay.entries import SourceError
from streams.replay.facts.recording import recorded_events
from streams.replay.order.in_order import comes_newest_first
from streams.replay.policies.source import read_policies
from streams.replay.replay import Replay
from streams.replay.scoring.score_lines import comparison_objects, score_objects
from streams.replay.scoring.score_table import show_comparison, show_score
from streams.replay.scoring.truth_file import read_truth
from streams.replay.summary import Summary, fault_lines, lack_lines, unjudged_lines
from streams.replay.table import ReplayTable
from streams.replay.verdict_lines import objects

__all__ = ["replay_command"]


def replay_command(
    given: Given,
    policy: Policy,
    *,
    compared: Policy | None,
    policies: str | None,
    workers: int,
    truth_file: str | None,
    history_out: str | None,
    log_out: str | None,
    form: str,
) -> int:
    """Judge events or recorded facts, and print verdicts, scores and a comparison of policies.

    Args:
        given: what is judged; with two ``workers`` in as many processes.
        policy: the policy that judges, unless ``policies`` says which one judges which T (``read_policies``).
        compared: another policy, whose verdicts are compared with those of the first.
        policies, workers, truth_file, history_out, log_out, form: the options of these names.

    Returns:
        the exit status, which is 2 if nothing was judged.

    Raises:
        SourceError: an input cannot be read.
    """
    schedule, policy = _scheduled(policies, policy)
    judged = [one for one in (policy, compared) if one is not None]
    _check_multiple(given.sli_every, judged)
    labels = read_truth(truth_file) if truth_file else None
    runs: Runs = RunsApart(given) if workers > 1 else RunsHere(given, judged, _say)
    replay = runs.first(policy, schedule)
    found = _judged(replay, _watched(replay, given, form), history_out, log_out, form=form)
    for line in runs.words():
        _say(line)
    unjudged = _print_faults(replay.summary, given.events, replay.policy, resumed=runs.resumed)
    if labels is not None:
        _print_score(_score(labels, found, replay), policy, form, "Held against the truth")
    if compared is not None:
        other = runs.second(compared)
        others = _outcomes(other)
        _print_comparison(compare(found, others), policy, compared, form)
        if labels is not None:
            scored = _score(labels, others, other)
            _print_score(scored, compared, form, "The other policy against the truth")
    return 2 if unjudged else 0


def _scheduled(policies: str | None, policy: Policy) -> tuple[PolicySchedule | None, Policy]:
    """Return which policy judges which T, if that is given, and the last of these; else ``policy``."""
    schedule = read_policies(policies) if policies else None
    last = None if schedule is None else schedule.last
    return schedule, policy if last is None else last.policy()


def _check_multiple(sli_every: int | None, policies: Iterable[Policy]) -> None:
    """Check that SLIs are due at steps of every policy.

    Raises:
        SourceError: ``sli_every`` is not a multiple of a policy's step.
    """
    for policy in policies:
        if sli_every is not None and sli_every % policy.step:
            raise SourceError(f"--sli-every must be a multiple of the policy's step ({policy.step} ms)")


def _watched(replay: Replay, given: Given, form: str) -> Iterator[Verdict]:
    """Run a replay, and say how far it is, unless verdicts are printed on the same terminal meanwhile."""
    is_shown = form != "jsonl" or not sys.stdout.isatty()
    expected = recorded_events(given.facts_file) if given.facts_file else expected_records(given.events)
    progress = Progress("events", expected) if is_shown else None
    return followed(replay.run(), progress, lambda: replay.summary.events)


def _judged(
    replay: Replay,
    run: Iterator[Verdict],
    history_out: str | None,
    log_out: str | None,
    *,
    form: str,
) -> list[Outcome]:
    """Print the verdicts of a replay that runs; the outcomes of its incidents."""
    outcomes = Outcomes()
    with contextlib.ExitStack() as stack:
        history, log = (
            None if name is None else stack.enter_context(open(name, "wb")) for name in (history_out, log_out)
        )
        verdicts = _gathered(_logged(_recorded(run, history), log, replay), outcomes)
        if form == "jsonl":
            for group in _by_t(verdicts):
                _write(objects(group))
            _write([replay.summary.as_json()])
        else:
            table = ReplayTable()
            for verdict in verdicts:
                table.add(verdict)
            table.show(replay.summary)
    return outcomes.result()


def _outcomes(replay: Replay) -> list[Outcome]:
    """Run a replay and print nothing; the outcomes of its incidents."""
    outcomes = Outcomes()
    for _ in _gathered(replay.run(), outcomes):
        pass
    return outcomes.result()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _print_faults(summary: Summary, events: Sequence[str], policy: Policy, *, resumed: bool) -> bool:
    """Say to standard error what was rejected and what cannot be judged; return whether nothing was judged."""
    unjudged = unjudged_lines(summary, resumed=resumed)
    if unjudged and summary.first_late and comes_newest_first(events):
        unjudged = unjudged_lines(summary, resumed=resumed, newest_first=True)
    for line in (*fault_lines(summary), *(unjudged or lack_lines(summary, policy))):
        print(line, file=sys.stderr)
    return bool(unjudged)


def _print_comparison(changes: Sequence[Change], policy: Policy, compared: Policy, form: str) -> None:
    if form == "jsonl":
        _write(comparison_objects(changes, policy.hash, compared.hash))
    else:
        show_comparison(changes)


def _score(labels: Sequence[Label], outcomes: Sequence[Outcome], replay: Replay) -> Score:
    # Of a run without events every label lies outside.
    began, until = replay.span or (0, 0)
    return score(labels, outcomes, began, until)


def _print_score(scored: Score, policy: Policy, form: str, title: str) -> None:
    if form == "jsonl":
        _write(score_objects(scored, policy.hash))
    else:
        show_score(scored, title=title)


def _write(objects: Iterable[dict[str, Any]]) -> None:
    for one in objects:
        sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
    sys.stdout.buffer.flush()


def _gathered(verdicts: Iterable[Verdict], outcomes: Outcomes) -> Iterator[Verdict]:
    for verdict in verdicts:
        outcomes.add(verdict.result.transitions, verdict.result.commands)
        yield verdict


def _by_t(verdicts: Iterator[Verdict]) -> Iterator[list[Verdict]]:
    together: list[Verdict] = []
    for verdict in verdicts:
        if together and together[0].result.at != verdict.result.at:
            yield together
            together = []
        together.append(verdict)
    if together:
        yield together


def _recorded(verdicts: Iterator[Verdict], out: IO[bytes] | None) -> Iterator[Verdict]:
    for verdict in verdicts:
        if out is not None:
            for record in verdict.result.history:
                at = format_instant(int(str(record["at"])))
                out.write(msgspec.json.encode({**record, "at": at}) + b"\n")
        yield verdict


def _logged(verdicts: Iterator[Verdict], out: IO[bytes] | None, replay: Replay) -> Iterator[Verdict]:
    """Write each transition as a line of the incident log, as a worker would; without the offsets of a topic."""
    for verdict in verdicts:
        if out is not None:
            for transition in verdict.result.transitions:
                out.write(msgspec.json.encode(log_line(transition, {}, replay.policy.hash)) + b"\n")
        yield verdict
