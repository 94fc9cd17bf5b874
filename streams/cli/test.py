"""`watchofficer test`: which tests of a policy pass, and what failed?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from detectors.policy.policy import Policy
from detectors.policy.source import PolicyError
from streams.policy_tests.document import PolicyTest, ReadTests, read_tests
from streams.policy_tests.expectations import failures
from streams.policy_tests.report import Outcome, junit, timeline
from streams.policy_tests.runner import run_test
from streams.replay.entries import SourceError
from streams.replay.record_files import read_history

__all__ = ["run_tests", "test_command"]

_PASSED, _FAILED, _UNREADABLE = 0, 1, 2


def test_command(
    names: Sequence[str],
    *,
    policy: Policy | None,
    only: str | None,
    verbose: bool,
    junit_file: str | None,
    form: str,
) -> int:
    """Run files of tests; the exit status: 0 all passed, 1 some failed, 2 a file cannot be read.

    Args:
        policy: of tests that name none.
        only: words in the names of the tests to run.
        verbose: say what happened in those that pass, too.
        junit_file: where to write JUnit XML.
        form: ``text``, or ``jsonl`` for an object a test, and nothing else.
    """
    status = _PASSED
    files: list[ReadTests] = []
    for name in names:
        try:
            files.append(read_tests(name, policy))
        except PolicyError as error:
            click.echo(str(error), err=True)
            status = _UNREADABLE
    outcomes: list[Outcome] = []
    for file in files:
        try:
            for outcome in run_tests(file, only=only):
                outcomes.append(outcome)
                if form == "jsonl":
                    click.echo(msgspec.json.encode(outcome.as_json()))
                else:
                    _print_outcome(outcome, verbose)
        except SourceError as error:
            click.echo(str(error), err=True)
            status = _UNREADABLE
    failed = sum(not outcome.passed for outcome in outcomes)
    if form == "text":
        click.echo(f"{len(outcomes) - failed} passed, {failed} failed")
    if junit_file is not None:
        try:
            Path(junit_file).write_bytes(junit(outcomes))
        except OSError as error:
            raise SourceError(f"{junit_file}: {error.strerror}") from None
    return status or (_FAILED if failed else _PASSED)


# pytest takes what is called so for a test
test_command.__test__ = False  # type: ignore[attr-defined]


def run_tests(
    file: ReadTests, *, only: str | None = None, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Outcome]:
    """Run the tests of a file, one after another.

    Raises:
        SourceError: a history cannot be read.
    """
    for i, (test, policy) in enumerate(zip(file.file.tests, file.policies, strict=True)):
        if only is not None and only.lower() not in test.name.lower():
            continue
        began = clock()
        start = file.file.start if test.start is None else test.start
        run = run_test(test, policy, start, _history(test, Path(file.name).parent))
        found = failures(test, file.source, ("tests", i), run)
        line = file.source.positions[("tests", i)].line
        yield Outcome(file.name, line, test.name, clock() - began, found, timeline(run))


def _history(test: PolicyTest, folder: Path) -> Iterable[dict[str, Any]] | None:
    """The records of a file; None where the test names rates, or nothing."""
    return read_history(str(folder / test.history)) if isinstance(test.history, str) else None


def _print_outcome(outcome: Outcome, verbose: bool) -> None:
    first, *more = outcome.lines(verbose=verbose)
    click.secho(first, fg="green" if outcome.passed else "red")
    for line in more:
        click.echo(line)
