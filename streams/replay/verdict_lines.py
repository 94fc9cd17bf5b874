"""In which order are the verdicts of a replay printed?"""

from __future__ import annotations

from collections.abc import Iterable

from streams.evaluate.evaluator import Verdict
from streams.records.jsonl import banner_object, notice_object, notify_object, transition_object

__all__ = ["objects"]


def objects(verdicts: Iterable[Verdict]) -> list[dict[str, object]]:
    """All objects in the order of T; within one T: sli (by scope, then window), transition, banner, notify, notice."""
    out: list[dict[str, object]] = []
    together: list[Verdict] = []
    for verdict in verdicts:
        if together and together[0].result.at != verdict.result.at:
            out += _of_one_t(together)
            together = []
        together.append(verdict)
    return out + _of_one_t(together)


def _of_one_t(verdicts: list[Verdict]) -> list[dict[str, object]]:
    slis = sorted((v for one in verdicts for v in one.result.sli), key=lambda v: (v.scope, v.window))
    return [
        *(value.as_json() for value in slis),
        *(transition_object(t) for one in verdicts for t in one.result.transitions if t.visible),
        *(banner_object(b) for one in verdicts for b in one.banners),
        *(notify_object(c) for one in verdicts for c in one.result.commands if c.kind != "notice"),
        *(notice_object(notice) for one in verdicts for notice in one.result.notices),
    ]
