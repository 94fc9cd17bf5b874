"""How did the tests go, for people and as JUnit XML?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from streams.policy_tests.expectations import Failure, offset
from streams.policy_tests.runner import Run

__all__ = ["Outcome", "junit", "timeline"]

#: Lines of a timeline that are shown of a test that fails.
_MOST_LINES = 30


@dataclass(frozen=True)
class Outcome:
    """One test.

    Attributes:
        file, line: where it stands.
        seconds: how long it took.
        failures: what was expected and is not so; none if it passed.
        timeline: what happened, a line each.
    """

    file: str
    line: int
    name: str
    seconds: float
    failures: Sequence[Failure]
    timeline: Sequence[str] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures

    def as_json(self) -> dict[str, Any]:
        """The outcome as an object."""
        return {
            "type": "test",
            "file": self.file,
            "line": self.line,
            "name": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "failures": [
                {"where": one.where, "expected": one.expected, "got": one.got} for one in self.failures
            ],
            "timeline": list(self.timeline),
        }

    def lines(self, *, verbose: bool) -> list[str]:
        """The outcome for people; ``verbose``: with what happened."""
        out = [
            f"{'ok   ' if self.passed else 'FAIL '} {self.file}:{self.line}: {self.name} ({self.seconds:.1f} s)"
        ]
        for failure in self.failures:
            out += [f"      {line}" for line in failure.lines()]
        if verbose or self.failures:
            out.append("      what happened:")
            out += [f"        {line}" for line in self.timeline[:_MOST_LINES]] or ["        nothing"]
            if len(self.timeline) > _MOST_LINES:
                out.append(f"        and {len(self.timeline) - _MOST_LINES} lines more")
        return out


def timeline(run: Run) -> list[str]:
    """The changes of incidents and banners, and the pages, in their order."""
    found: list[tuple[int, int, str]] = []
    for change in run.transitions:
        if change.visible:
            after = change.incident
            words = f"{after.id} {change.kind} {after.scope} severity {after.severity}: {change.reason}"
            found.append((change.at, 0, words))
    for key, changes in sorted(run.banners.items()):
        found += [(change.at, 1, f"banner {key} {change.status}") for change in changes]
    for command in run.commands:
        if command.sink == "pagerduty":
            found.append((command.at, 2, f"{command.incident_id} pagerduty {command.action} {command.level}"))
    return [f"{offset(at, run.start):>9}  {words}" for at, _, words in sorted(found) if at <= run.until]


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """JUnit XML: a suite for each file."""
    root = ElementTree.Element("testsuites")
    for file in dict.fromkeys(outcome.file for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.file == file]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=file,
            tests=str(len(mine)),
            failures=str(sum(not outcome.passed for outcome in mine)),
            errors="0",
            time=f"{sum(outcome.seconds for outcome in mine):.3f}",
        )
        for outcome in mine:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=file,
                name=outcome.name,
                file=file,
                line=str(outcome.line),
                time=f"{outcome.seconds:.3f}",
            )
            if not outcome.passed:
                first = outcome.failures[0]
                failed = ElementTree.SubElement(
                    case, "failure", message=f"{first.where}: expected {first.expected}, got {first.got}"
                )
                failed.text = "\n".join(outcome.lines(verbose=False))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
