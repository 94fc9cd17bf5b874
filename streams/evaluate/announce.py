"""Which line does an operator read of each change of an incident, whether or not any receiver is on?"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from detectors.bounds import cut
from detectors.incidents import Transition
from detectors.instants import format_instant

__all__ = ["SENTENCE_BYTES", "announce"]

log = structlog.get_logger(__name__)

#: The most of a sentence that stands in a line, bytes of UTF-8.
SENTENCE_BYTES = 600
#: Kinds that an operator should see among many other lines, where the severity is 1 or 2.
_LOUD = frozenset({"opened", "reopened", "relapsed", "severity", "share", "cause", "declared", "breach"})


def announce(transitions: Iterable[Transition]) -> None:
    """Log each transition as one line, ``incident_transition``.

    To be called once the verdicts and the state have been acknowledged: a worker that ends before then writes no line,
    and its successor, which reaches the same transitions again, writes it.

    The text of a note is left out: what people write stands in the incident log alone.
    """
    for transition in transitions:
        incident = transition.incident
        loud = transition.kind in _LOUD and incident.severity < 3
        say = log.warning if loud else log.info
        say(
            "incident_transition",
            incident=incident.id,
            kind=transition.kind,
            scope=incident.scope,
            severity=incident.severity,
            from_severity=transition.from_severity,
            **{"from": transition.from_state, "to": incident.state},
            at=format_instant(transition.at),
            by=transition.by,
            reason="" if transition.kind == "note" else cut(transition.reason, SENTENCE_BYTES),
        )
