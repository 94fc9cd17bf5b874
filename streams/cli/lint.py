"""`watchofficer lint`: which findings does lint have about the given policies?"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from detectors.instants import format_duration
from detectors.lint.delays import delays
from detectors.lint.lint import INVALID, RULES, Finding, lint, refused
from detectors.lint.rule import PEAK
from detectors.policy.policy import Policy, parse_policy
from detectors.policy.source import PolicyError
from streams.cli.inputs.mapping import named_schemas
from streams.cli.parameters import DONE, FINDINGS, USAGE
from streams.mappings.mapping import compile_mapping
from streams.settings.policy_file import read_document, shipped_values

__all__ = ["lint_command", "rules_command"]

#: A key that mappings have, and policies have not.
_MAPPING = re.compile(rb"^fields:", re.MULTILINE)


def lint_command(names: Sequence[str], *, form: str, now: int, peak: int | None) -> int:
    """Lint policies and mappings (``-`` for standard input); 0 clean, 1 findings, 2 a file that cannot be read.

    For a given ``peak`` (sign-ins an hour) each valid file is also said how long each kind of trouble takes to be seen.
    """
    findings: list[Finding] = []
    status = DONE
    for name in names:
        shown = "<stdin>" if name == "-" else name
        try:
            text = _read(name)
        except OSError as error:
            click.echo(f"{name}:1: cannot be read: {error.strerror}", err=True)
            status = USAGE
            continue
        is_mapping = _MAPPING.search(text) is not None
        if is_mapping:
            found = _of_mapping(text, shown)
        else:
            found = lint(text, shown, shipped_values(), now=now, peak=PEAK if peak is None else peak)
        findings += found
        for finding in found:
            click.echo(msgspec.json.encode(finding.as_json()) if form == "jsonl" else str(finding))
        if peak is not None and not is_mapping and not any(finding.rule in INVALID for finding in found):
            _tell_delays(parse_policy(text, shown, shipped_values()), shown, peak, form)
    if form == "text":
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}", err=True)
    return status or (FINDINGS if findings else DONE)


def _of_mapping(text: bytes, name: str) -> list[Finding]:
    try:
        compile_mapping(text, name, schemas=named_schemas(at_once=False))
    except PolicyError as error:
        return refused(error)
    return []


def _tell_delays(policy: Policy, name: str, peak: int, form: str) -> None:
    """Print how long each kind of trouble takes to be seen."""
    for seen in delays(policy, peak):
        if form == "jsonl":
            click.echo(msgspec.json.encode({**seen.as_json(), "file": name}))
            continue
        after = "is never seen" if seen.after is None else f"is seen after {format_duration(seen.after)}"
        click.echo(f"{name}: {seen.kind} of {seen.share:.0%} {after}, where {peak:,} an hour sign in")


def rules_command(form: str) -> int:
    """List the rules, each in a line: as text, or as an object (``form`` is ``jsonl``)."""
    rules = [
        *((name, "error", summary) for name, summary in INVALID.items()),
        *((rule.id, rule.severity, rule.summary) for rule in RULES),
    ]
    for name, severity, summary in rules:
        if form == "jsonl":
            click.echo(msgspec.json.encode({"rule": name, "severity": severity, "summary": summary}))
        else:
            click.echo(f"{name:24} {severity:8} {summary}")
    return DONE


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else read_document(Path(name))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
