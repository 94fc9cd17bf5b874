"""Which JSON object is the report on an incident?"""

from __future__ import annotations

from typing import Any

from detectors.instants import format_instant
from streams.explain.case_file import CaseFile, Fired
from streams.explain.sections import figures, sections

__all__ = ["case_object"]


def case_object(case_file: CaseFile) -> dict[str, Any]:
    """Return what ``explain --json`` prints: what the report says in words, with instants in RFC 3339.

    ``fired`` is None where only the log is known; ``sections`` has an element for each change, in order.
    """
    policies = dict.fromkeys(line.policy_hash for line in case_file.lines if line.policy_hash)
    fired = case_file.fired
    return {
        "incident": case_file.incident,
        "scope": case_file.scope,
        "began_at": format_instant(case_file.began),
        "ended_at": format_instant(case_file.ended),
        "policies": list(policies),
        "figures": dict(figures(case_file)),
        "fired": None if fired is None else [_fired_object(one) for one in fired],
        "sections": [
            {
                "at": format_instant(one.at),
                "kind": one.kind,
                "title": one.title,
                "paragraphs": [{"label": label, "text": text} for label, text in one.paragraphs],
            }
            for one in sections(case_file)
        ],
        "samples": [
            {"at": format_instant(one.at), "good": one.good, "bad": one.bad, "people": one.people}
            for one in case_file.samples
        ],
    }


def _fired_object(one: Fired) -> dict[str, Any]:
    return {
        "detector": one.detector,
        "scope": one.scope,
        "from": format_instant(one.begin),
        "to": None if one.end is None else format_instant(one.end),
        "times": one.times,
        "sentence": one.sentence,
    }
