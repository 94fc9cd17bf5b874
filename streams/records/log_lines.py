"""Which lines does the incident log hold, for those who read it back?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from detectors.incidents import Common
from detectors.instants import parse_instant
from detectors.process.deploys import Deploy
from streams.records.jsonl import read_deploy

__all__ = ["Evidence", "Line", "LoggedPage", "deploys_of", "each_once", "read_line"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A finding behind a transition, as the incident log holds it; see ``detectors.incidents.Cause``."""

    detector: str
    scope: str
    sentence: str
    numbers: dict[str, float | int | str | None] = {}
    first_bad: str | None = None
    estimated_users: float | None = None
    failing_ratio: float = 1.0
    csp_caused: bool = False


class LoggedPage(msgspec.Struct, frozen=True):
    """The PagerDuty alert that a transition triggered; see ``detectors.incidents.Page``."""

    dedup_key: str
    level: str


class Line(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"kind": "type", "before": "from", "after": "to", "asked": "kind"},
):
    """A line of the incident log.

    Attributes:
        kind: the kind of the transition; ``refused`` for an input that did not apply.
        at: T, RFC 3339.
        asked: the kind of a refused input.
        before, after: states.
        first_bad_at: the incident's first failing event, RFC 3339.
        counts: of the scope in five minutes, where they are known.
        common: what the people who fail have in common.
        input: id of the input that a person or receiver asked for it by.
        process: how the incident is conducted, as ``streams.records.parts.ProcessRecord`` has it; fields that have no
            value yet are left out; None in lines of earlier versions.
        happened_at: when what a note tells happened, RFC 3339, if it says so.
        field, cover: of a notice what has happened (set, began or ended) to which mute, maintenance or correction.
        deploy: of a notice what was deployed (``jsonl.read_deploy``).
        page: the alert that it triggered, if any; unset in lines of earlier versions, which do not say.
    """

    kind: str
    at: str
    incident: str | None = None
    asked: str | None = None
    scope: str = ""
    before: str | None = None
    after: str = ""
    severity: int = 3
    peak_severity: int = 3
    basis: str = "observed"
    users_impacted: int = 0
    users_impacted_error: float = 0.0
    causes: tuple[str, ...] = ()
    reason: str = ""
    epoch: int = 0
    first_bad_at: str | None = None
    by: str | None = None
    input: str | None = None
    sentence: str = ""
    counts: dict[str, int] | None = None
    common: tuple[Common, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    page: LoggedPage | msgspec.UnsetType | None = msgspec.UNSET
    policy_hash: str = ""
    process: dict[str, Any] | None = None
    happened_at: str | None = None
    field: str | None = None
    cover: dict[str, Any] | None = None
    deploy: dict[str, Any] | None = None

    @property
    def instant(self) -> int:
        """T, ms."""
        return parse_instant(self.at)

    @property
    def happened(self) -> int:
        """When what the line tells happened, ms: T, unless it says otherwise."""
        return parse_instant(self.happened_at or self.at)


def read_line(value: bytes | dict[str, Any]) -> Line:
    """The line in a record of the incident log.

    Raises:
        ValueError: the record is no such line (``msgspec.ValidationError`` is a ValueError).
    """
    line = msgspec.json.decode(value, type=Line) if isinstance(value, bytes) else msgspec.convert(value, Line)
    parse_instant(line.at)
    for instant in (line.first_bad_at, line.happened_at):
        if instant is not None:
            parse_instant(instant)
    return line


def deploys_of(lines: Iterable[Line]) -> list[Deploy]:
    """Return the deploys that notices among the lines tell, each once, in the order in which they happened."""
    found: dict[Deploy, None] = {}
    for line in lines:
        if line.deploy is not None:
            with contextlib.suppress(ValueError):  # of another version, whose deploys say something else
                found[read_deploy(line.deploy)] = None
    return sorted(found, key=lambda one: one.at)


def each_once(lines: Iterable[Line]) -> list[Line]:
    """Return the lines in the order of T, each once; a crash may have written some again, with other offsets."""
    once = {msgspec.json.encode(line): line for line in lines}
    return sorted(once.values(), key=lambda line: line.instant)
