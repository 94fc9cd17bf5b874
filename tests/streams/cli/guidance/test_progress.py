"""How far a long command says it is."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from streams.cli.guidance.progress import Progress, expected_records, followed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(whole: int | None, stream: io.StringIO) -> str:
    now = [0.0]
    progress = Progress("events", whole, stream=stream, monotonic=lambda: now[0])
    done = [0]

    def items() -> list[int]:
        return list(range(3))

    for n in followed(items(), progress, lambda: done[0]):
        now[0] += 10.0
        done[0] = (n + 1) * 1_000
    return stream.getvalue()


def test_a_terminal_is_told_how_many_how_fast_and_how_long_and_is_left_clean() -> None:
    clear = "\r\x1b[K"
    assert told(10_000, Terminal()) == (
        f"{clear}1,000 events, 100/s, 10%, 1:30 left{clear}2,000 events, 100/s, 20%, 1:20 left{clear}"
    )
    assert told(None, Terminal()).endswith(f"{clear}2,000 events, 100/s{clear}")


def test_what_is_no_terminal_is_told_nothing() -> None:
    assert told(10_000, io.StringIO()) == ""


def test_how_many_records_files_hold_is_known_by_their_first_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 9 + b"\n" + b"x" * 19 + b"\n")
    (tmp_path / "b").write_bytes((b"x" * 99 + b"\n") * 5_000)
    (tmp_path / "c").write_bytes(b"")
    assert expected_records([str(tmp_path / name) for name in "abc"]) == 5_002
    (tmp_path / "d.gz").write_bytes(gzip.compress(b"x\n"))
    for name in (str(tmp_path / "d.gz"), "-", "topic:login-events", str(tmp_path / "missing")):
        assert expected_records([name]) is None
