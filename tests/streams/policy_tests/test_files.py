"""Files of tests: what is wrong with one is said with its line, and policies come from where they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.policy.source import PolicyError
from streams.policy_tests.document import read_tests
from streams.settings.policy_file import default_policy, read_policy

MINIMAL = """\
tests:
  - name: nothing happens
    series: ["prod/ssoe callback success once"]
    absent: [{incidents: [{}]}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.yaml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        read_tests(str(file))
    return [f"{error.line}: {error.path}: {error.message}" for error in caught.value.errors]


def test_a_test_without_a_policy_is_of_the_one_that_ships_or_of_the_one_given(file: Path) -> None:
    file.write_text(MINIMAL)
    given = read_policy("severity: {severity_2_over: 7}", "p.yaml")
    assert read_tests(str(file)).policies == (default_policy(),)
    assert read_tests(str(file), given).policies == (given,)


def test_a_policy_is_a_file_beside_the_tests_or_changes_to_the_shipped_one(file: Path) -> None:
    (file.parent / "strict.yaml").write_text("severity: {severity_2_over: 7}")
    file.write_text(
        "policy: strict.yaml\n"
        + MINIMAL
        + "  - name: another\n"
        + "    policy: {severity: {severity_2_over: 8}}\n"
        + "    series: ['prod/ssoe callback success once']\n"
        + "    absent: [{incidents: [{}]}]\n"
    )
    read = read_tests(str(file), default_policy())
    assert [policy.severity.severity_2_over for policy in read.policies] == [7, 8]


def test_every_error_is_reported_at_its_line(file: Path) -> None:
    text = """\
tests:
  - name: one
    series: ["prod/ssoe calback success once"]
    until: soon
    expect:
      - at: 10m
        within: 5m..6m
        incidents: [{scope: prod, severty: 1}]
      - at: 10m
      - incidents: [{}]
      - throughout: 1m..2m
        notifications: [{}]
    absent:
      - throughout: 1m..2m
        incidents: [{severity: high}]
  - name: one
    series: []
"""
    found = problems(file, text)
    assert found[:4] == [
        "3: tests[0].series[0]: has 'calback' after 'prod/ssoe', where a step (new, authorize, callback, token,"
        " refresh, revoke, logout, sign_in) should stand",
        "4: tests[0].until: must be a time since the start, such as 10m20s, or an instant, is 'soon'",
        "8: tests[0].expect[0].incidents[0].severty: unknown key; did you mean severity?",
        "9: tests[0].expect[1]: expects nothing; it may name findings, incidents, notifications, banners",
    ]
    assert "10: tests[0].expect[2]: needs at, within or throughout" in found
    assert "12: tests[0].expect[3].notifications: a message has an instant: use at or within" in found
    assert (
        "15: tests[0].absent[0].incidents[0].severity: must be a number, or numbers such as 50..1000 or 51..,"
        " is 'high'" in found
    )
    assert "17: tests[1].series: must have at least 1 entries, has 0" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            MINIMAL.replace("    absent: [{incidents: [{}]}]\n", ""),
            "expects nothing: a test that cannot fail",
        ),
        (MINIMAL + MINIMAL.removeprefix("tests:\n"), "5: tests[1].name: another test has the same name"),
        (MINIMAL.replace("absent: [{", "expect: [{at: 1m, within: 1m..2m, "), "more than one of at, within"),
        (MINIMAL.replace("absent: [{", "expect: [{within: 5m, "), "must be a span such as 10m..10m20s"),
        (MINIMAL.replace("absent: [{", "absent: [{throughout: 1m..2m, "), "absent throughout: use within"),
        (
            MINIMAL.replace("incidents: [{}]", "notifications: [{count: 3}]"),
            "what is absent has no count",
        ),
        # a name that there is not would be absent whatever happens
        (MINIMAL.replace("{incidents: [{}]}", "{incidents: [{scope: prod/sos}]}"), "must be a scope such as"),
        (
            MINIMAL.replace("{incidents: [{}]}", "{incidents: [{id: prod1}]}"),
            "must match ^[a-z0-9_.:-]{1,64}-[1-9]",
        ),
        (MINIMAL.replace("{incidents: [{}]}", "{incidents: [{state: opened}]}"), "must be 'open', 'acknow"),
        (MINIMAL.replace("{incidents: [{}]}", "{incidents: [{causes: silent}]}"), "must be 'burn_rate', "),
        (MINIMAL.replace("{incidents: [{}]}", "{incidents: [{scope: []}]}"), "at least 1 entries"),
        (MINIMAL.replace("{incidents: [{}]}", "{findings: [{detector: outge}]}"), "must be 'burn_rate', "),
        (MINIMAL.replace("{incidents: [{}]}", "{notifications: [{sink: pager}]}"), "did you mean pagerduty?"),
        (MINIMAL.replace("{incidents: [{}]}", "{notifications: [{action: page}]}"), "must be 'trigger', "),
        (MINIMAL.replace("{incidents: [{}]}", "{notifications: [{kind: open}]}"), "must be 'opened', "),
        (
            MINIMAL.replace("{incidents: [{}]}", "{banners: [{key: prod/idme, status: ok}]}"),
            "must be a key of the banner (prod/sis, prod/ssoe, prod/mvi, prod/sis/idme",
        ),
        (MINIMAL + "    inputs: [{at: 1m, kind: acknowledge}]\n", "needs the incident, such as prod-1"),
        (
            "policy: {severity: {dwel: 1m}}\n" + MINIMAL,
            "1: policy: severity.dwel: unknown key; did you mean dwell?",
        ),
        ("policy: missing.yaml\n" + MINIMAL, "cannot be read: No such file or directory"),
        ("- 1", "must be a mapping with the key tests"),
        ("test: []", "unknown key; did you mean tests?"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(file: Path, text: str, said: str) -> None:
    assert any(said in problem for problem in problems(file, text)), problems(file, text)


def test_a_file_that_is_not_there_is_said_to_be_so(file: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        read_tests(str(file))
