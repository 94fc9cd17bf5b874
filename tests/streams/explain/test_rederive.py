"""An incident derived again from the recorded events: equal, or what differs and nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.instants import MINUTE
from detectors.policy.policy import Policy
from streams.cli.main import main
from streams.explain.rederive import Rederived, compared, inputs_of, rederive
from streams.records.log_lines import Line
from streams.settings.policy_file import default_policy, read_policy
from tests.streams.explain.case_files import START, begun, case_file, entries, inputs

POLICY = default_policy()
#: A field of a line, and a value that no line has.
CHANGES: dict[str, Any] = {
    "scope": "prod/elsewhere",
    "severity": 9,
    "users_impacted": -1,
    "causes": ("nothing",),
    "sentence": "It was not so.",
    "basis": "guessed",
    "after": "nowhere",
    "first_bad_at": "1970-01-01T00:00:00Z",
}


@cache
def told() -> list[Line]:
    """The lines of the incident; played when they are asked for, and not by each process that collects tests."""
    return [line for line in case_file().lines if line.kind != "refused"]


def first() -> list[Line]:
    """The lines of the first minutes, whose events are few."""
    return [line for line in told() if line.instant < START + 7 * MINUTE]


#: The number of one of the lines.
NUMBER = st.deferred(lambda: st.integers(0, len(told()) - 1))


def derived(lines: list[Line], events_of: list[bytes], policy: Policy = POLICY) -> Rederived:
    return rederive(lines, entries(events_of), policy, now=START + 30 * MINUTE, inputs=inputs())


def test_the_recorded_events_give_the_incident_that_the_log_tells_whatever_its_number() -> None:
    found = derived([replace(line, incident="prod-77") for line in first()], begun(8))
    assert found.equal
    assert (found.lines, found.judged_by) == (len(first()), (POLICY.hash,))


def test_what_people_did_is_taken_from_the_log_where_no_inputs_are_given() -> None:
    asked = inputs_of(told())
    acknowledged = next(line for line in told() if line.kind == "acknowledged")
    assert (acknowledged.instant, "acknowledge", "Ada") in {(at, one.kind, one.by) for at, one in asked}
    assert len(asked) == sum(line.kind in ("acknowledged", "note") for line in told())


def test_another_policy_is_named_and_other_events_bring_no_such_incident() -> None:
    other = read_policy("severity: {severity_2_over: 7}", "p.yaml")
    found = derived(told(), begun(1), other)
    assert (found.policy_hash, found.judged_by) == (other.hash, (POLICY.hash,))
    assert (found.found, found.equal) == (False, False)


@given(NUMBER, st.sampled_from(sorted(CHANGES)))
def test_a_field_that_differs_is_named_with_both_values_and_nothing_else(n: int, field: str) -> None:
    changed = [*told()]
    changed[n] = replace(told()[n], **{field: CHANGES[field]})
    (one,) = compared(changed, told())
    assert (one.at, one.kind, one.only) == (told()[n].at, told()[n].kind, None)
    assert dict(one.fields) == {field: (CHANGES[field], getattr(told()[n], field))}


@given(st.sets(NUMBER), st.sets(NUMBER))
def test_lines_that_only_one_side_has_are_named_with_the_side(here: set[int], there: set[int]) -> None:
    recorded = [line for n, line in enumerate(told()) if n not in here]
    other = [line for n, line in enumerate(told()) if n not in there]
    found = list(compared(recorded, other))
    assert sorted((one.at, one.kind, one.only or "") for one in found) == sorted(
        [(told()[n].at, told()[n].kind, "the events") for n in here - there]
        + [(told()[n].at, told()[n].kind, "the log") for n in there - here]
    )


# -- the command line ------------------------------------------------------------------------------------------


def shown(folder: Path, lines: list[Line], *more: str) -> Result:
    log, file = folder / "log.jsonl", folder / "events.jsonl"
    log.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    file.write_bytes(b"\n".join(begun(8)))
    names = ["--log", str(log), *(more or ("--events", str(file)))]
    return CliRunner().invoke(main, ["incidents", "show", "prod-1", *names], env={"COLUMNS": "200"})


def test_a_shown_incident_says_what_differs(tmp_path: Path) -> None:
    opened = told()[0]
    wrong = [replace(opened, users_impacted=123_456), *first()[1:]]
    found = shown(tmp_path, wrong)
    assert found.exit_code == 0, found.output
    assert f"users_impacted: the log has 123456, the events give {opened.users_impacted}" in found.stdout


def test_a_shown_incident_names_earlier_ones_like_it_with_how_they_ended(tmp_path: Path) -> None:
    earlier = [
        replace(line, incident="prod-0", at=line.at.replace("11-23", "11-20"), reason="Mended by IAM.")
        for line in told()
    ]
    elsewhere = [replace(line, incident="prod-9", scope="prod/sis") for line in earlier]
    found = shown(tmp_path, [*earlier, *elsewhere, *told()], "--format", "json")
    assert found.exit_code == 0, found.output
    (one,) = json.loads(found.stdout)["similar"]
    assert (one["incident"], one["resolved_reason"]) == ("prod-0", "Mended by IAM.")
    assert "Mended by IAM." in shown(tmp_path, [*earlier, *told()], "--no-rederive").stdout
