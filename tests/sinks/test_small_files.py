"""A file that a person has named is read whatever it is, within bounds of size and time, and refused in words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.small_files import check_regular_file, read_small_file


@given(content=st.binary(max_size=300), most=st.integers(0, 400))
def test_no_more_is_read_than_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, most: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "small"
    file.write_bytes(content)
    assert read_small_file(file, most) == content[:most]


def test_a_device_without_an_end_is_read_to_the_limit() -> None:
    assert read_small_file(Path("/dev/zero"), 200_000) == bytes(200_000)


def test_what_comes_through_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = bytes(range(256)) * 1_000  # more than a pipe holds
    writer = Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    try:
        assert read_small_file(pipe, 1_000_000) == content
    finally:
        writer.join()


def test_a_pipe_to_which_nobody_writes_is_not_awaited_for_ever(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="nothing comes through this pipe within 0 s") as caught:
        read_small_file(pipe, 100, pipe_seconds=0)
    assert caught.value.filename == str(pipe)


@pytest.mark.parametrize("read", [lambda file: read_small_file(file, 100), check_regular_file])
def test_what_is_no_file_is_refused_in_the_words_of_the_system(tmp_path: Path, read: object) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for name, says in (("", "Is a directory"), ("none", "No such file"), ("round", "Too many levels")):
        with pytest.raises(OSError, match=says) as caught:
            read(tmp_path / name)  # type: ignore[operator]
        assert says in (caught.value.strerror or "")


def test_a_file_that_is_read_more_than_once_must_be_no_pipe_and_no_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (pipe, Path("/dev/null")):
        with pytest.raises(OSError, match="it is a pipe or a device; name a file"):
            check_regular_file(file)
    check_regular_file(Path(__file__))


def test_standard_input_may_be_a_socket_as_event_loops_give_one() -> None:
    ours, theirs = socket.socketpair()
    program = "from pathlib import Path; from sinks.small_files import read_small_file as read\n"
    program += "print(read(Path('/dev/stdin'), 100).decode())"
    with ours, theirs:
        ours.sendall(b"envs: [prod]")
        ours.shutdown(socket.SHUT_WR)
        command = [sys.executable, "-c", program]
        said = subprocess.check_output(command, stdin=theirs.fileno(), text=True, timeout=60)
    assert said == "envs: [prod]\n"
