"""Inputs whose lines do not stand in the order in which they happened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, SECOND, format_instant
from streams.cli.main import main
from streams.replay.order.in_order import comes_newest_first, in_order
from streams.replay.places import NotedPlaces, PlacedEntries

NOON = 1_795_453_200_000


def login(number: int) -> bytes:
    return json.dumps(
        {
            "schema_version": 1,
            "event_id": f"e{number}",
            "occurred_at": format_instant(NOON + number * 5 * SECOND),
            "env": "prod",
            "auth_method": "sis",
            "csp": "idme",
            "step": "callback",
            "outcome": "success",
        }
    ).encode()


def enveloped(number: int) -> bytes:
    at = NOON + number * 5 * SECOND
    record = {"topic": "login-events", "partition": 0, "offset": number, "ts": at}
    return json.dumps(record | {"payload": login(number).decode()}).encode()


def replayed(folder: Path, lines: list[bytes], *options: str) -> Result:
    (folder / "a").write_bytes(b"\n".join(lines))
    return CliRunner().invoke(
        main,
        [
            "replay",
            str(folder / "a"),
            "--now",
            format_instant(NOON + 60 * MINUTE),
            "--format",
            "jsonl",
            *options,
        ],
    )


@pytest.mark.parametrize("line", [login, enveloped])
def test_a_file_that_comes_newest_first_is_known_as_such_and_read_in_order(
    line: type, tmp_path: Path
) -> None:
    lines = [line(n) for n in range(20)]
    straight = replayed(tmp_path, lines)
    reverse = replayed(tmp_path, lines[::-1])
    assert (straight.exit_code, reverse.exit_code) == (0, 2)
    assert "the input comes newest first: give --sort" in reverse.stderr
    ordered = replayed(tmp_path, lines[::-1], "--sort")
    assert ordered.exit_code == 0
    drop = json.loads(straight.stdout.splitlines()[-1]) | {"seconds": 0}
    assert json.loads(ordered.stdout.splitlines()[-1]) | {"seconds": 0} == drop


def test_a_record_that_is_rejected_is_named_by_the_line_in_which_it_stands(tmp_path: Path) -> None:
    found = replayed(tmp_path, [login(2), login(1), b"{}", login(0)], "--sort")
    assert f"{tmp_path}/a:3: " in found.stderr


def test_a_dump_of_a_producers_own_records_is_not_sorted(tmp_path: Path) -> None:
    found = replayed(tmp_path, [enveloped(0)], "--sort", "--mapping", "keycloak")
    assert found.exit_code == 2
    assert "--sort is for files of a producer's own records" in found.stderr


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ([login(n) for n in range(9)], False),
        ([login(n) for n in range(9, 0, -1)], True),
        ([enveloped(n) for n in range(9, 0, -1)], True),
        ([login(1)], False),
        ([], False),
        ([b"{", b"[]", b"1", b'{"offset":[]}'], False),
    ],
)
def test_the_first_lines_say_in_which_order_a_file_comes(
    lines: list[bytes], known: bool, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"\n".join(lines))
    assert comes_newest_first([str(tmp_path / "a"), "-", "topic:login-events"]) is known


@given(
    st.lists(st.tuples(st.integers(-1, 5), st.none() | st.integers(0, 9), st.none() | st.binary(max_size=5)))
)
def test_records_come_by_offset_equal_and_unknown_ones_behind_the_one_before(
    records: list[tuple[int, int | None, bytes | None]],
) -> None:
    places = NotedPlaces()
    for number in range(len(records)):
        places.note(number, str)
    found = in_order(
        PlacedEntries(iter([(stamp, value) for _, stamp, value in records]), places),
        [one[0] for one in records],
    )
    given_out = list(found)
    keys, last = [], -1
    for offset, _, _ in records:
        last = offset if offset >= 0 else last
        keys.append(last)
    expected = sorted(range(len(records)), key=lambda n: keys[n])
    assert given_out == [records[n][1:] for n in expected]
    assert [found.places.of(n) for n in range(len(records))] == [str(n) for n in expected]
