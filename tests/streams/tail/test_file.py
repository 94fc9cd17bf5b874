"""A file that grows, is rotated, and whose reader is killed: each line comes, and again only under its own name."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.runtime.progress import Progress, Why
from streams.tail.delivery import Line
from streams.tail.file import FileTail
from streams.tail.position import PositionFile


class Killed(Exception):
    """The reader ends where it stands."""


class Log:
    """A log, who writes and rotates it, and who reads it.

    Args:
        folder: where it stands.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "app.log"
        self.now = 0.0
        self.written: list[str] = []
        self.got: list[Line] = []
        self.progress = Progress(lambda: self.now)
        self._changes = 0
        self._rotations = 0
        self._killed = False
        self.tail = self._reader()

    def restart(self, *, from_end: bool = False) -> None:
        """A new reader, which knows what is on the disk alone."""
        self.tail.close()
        self.tail = self._reader(from_end=from_end)

    def _reader(self, *, from_end: bool = False) -> FileTail:
        return FileTail(
            self.path,
            PositionFile(self.path.with_name(".position")),
            self._take,
            self.progress,
            from_end=from_end,
            monotonic=lambda: self.now,
        )

    async def _take(self, lines: Sequence[Line]) -> int:
        self.got += lines
        if self._killed:
            raise Killed
        return len(lines)

    async def look(self, *, killed: bool = False) -> None:
        """Read all there is; a reader that is killed has sent what it read, and kept no note of it."""
        self._killed = killed
        try:
            for _ in range(2):  # a successor is begun after a while
                await self.tail.look()
                self.now += 5
                await self.tail.look()
        except Killed:
            self.restart()

    def write(self, count: int = 1, end: str = "\n") -> None:
        """Write lines."""
        with self.path.open("a") as file:
            for _ in range(count):
                self.written.append(f"line {len(self.written)}")
                file.write(self.written[-1] + end)
        self._stamp(self.path)

    def rename(self) -> None:
        """Rotate by renaming; the successor exists at once."""
        self.path.rename(self._older())
        self.path.touch()
        self._stamp(self.path)

    def copy_and_empty(self) -> None:
        """Rotate by a copy, as logrotate does with copytruncate."""
        copy = self._older()
        shutil.copyfile(self.path, copy)
        os.truncate(self.path, 0)
        self._stamp(copy)
        self._stamp(self.path)

    def _older(self) -> Path:
        self._rotations += 1
        return self.path.with_name(f"app.log.{self._rotations}")

    def _stamp(self, path: Path) -> None:
        # Files are written at different times; those of a test may be written in one tick of the clock of the disk.
        self._changes += 1
        os.utime(path, (self._changes, self._changes))

    @property
    def texts(self) -> list[str]:
        return [line.text.decode() for line in self.got]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.tail.close()


@pytest.fixture(autouse=True)
def _no_crash_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


async def test_lines_come_once_they_have_ended(log: Log) -> None:
    log.write(2)
    log.write(1, end="")
    await log.look()
    assert log.texts == ["line 0", "line 1"]
    log.path.write_text(log.path.read_text() + " and more\n")
    await log.look()
    assert log.texts == ["line 0", "line 1", "line 2 and more"]


async def test_a_file_that_comes_later_is_told_until_it_is_there(log: Log) -> None:
    await log.look()
    (told,) = log.progress.obstacles()
    assert told.why is Why.PARTITION
    assert "app.log cannot be read or written: No such file" in told.sentence
    log.write()
    await log.look()
    assert log.progress.obstacles() == ()
    assert log.texts == ["line 0"]


async def test_from_the_end_nothing_that_stands_there_comes(log: Log) -> None:
    log.write(3)
    log.restart(from_end=True)
    await log.look()
    log.write()
    await log.look()
    assert log.texts == ["line 3"]


async def test_a_writer_may_go_on_with_a_renamed_file_for_a_while(log: Log) -> None:
    log.write()
    await log.look()
    with log.path.open("a") as writer:
        log.rename()
        await log.tail.look()
        writer.write("late\n")
        writer.flush()
        await log.look()
    log.write()
    await log.look()
    assert log.texts == ["line 0", "late", "line 1"]


async def test_files_that_were_rotated_while_nobody_read_come_in_their_order(log: Log) -> None:
    log.write(2)
    await log.look()
    log.write()
    log.rename()
    log.write(2)
    log.rename()
    log.write(1)
    log.restart()
    for _ in range(3):
        await log.look()
    assert log.texts == log.written


async def test_what_is_gone_is_said_and_the_rest_comes(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.write(2)
    await log.look()
    log.path.unlink()
    log.restart()
    log.write()
    await log.look()
    assert log.texts[2:] == ["line 2"]


async def test_a_position_that_cannot_be_read_loses_nothing(log: Log) -> None:
    log.write(2)
    await log.look()
    log.path.with_name(".position").write_text("{")
    log.restart()
    await log.look()
    assert log.texts == log.written * 2


STEPS = st.lists(
    st.sampled_from(["write", "write", "half", "rename", "copy", "look", "restart", "killed"]), max_size=12
)


@given(STEPS)
@example(["copy", "rename", "write", "rename", "write"])
async def test_no_line_is_lost_and_one_that_comes_again_has_its_name(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        log.write()
        await log.look()
        for step in steps:
            match step:
                case "write":
                    log.write(2)
                case "half":
                    log.write(1, end="")
                    with log.path.open("a") as file:
                        file.write("\n")
                    log._stamp(log.path)
                case "rename":
                    log.rename()
                case "copy":
                    log.copy_and_empty()
                    await log.look()  # a second copy before it was read could not be told from this one
                case "look":
                    await log.look()
                case "restart":
                    log.restart()
                case "killed":
                    await log.look(killed=True)
        for _ in range(len(steps) + 2):
            await log.look()
        log.tail.close()
        names: dict[str, set[str]] = {}
        for line in log.got:
            names.setdefault(line.text.decode(), set()).add(line.position)
        assert sorted(names) == sorted(log.written)
        assert all(len(each) == 1 for each in names.values()), names
