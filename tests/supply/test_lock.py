"""What is read of a lock file: every pin, with its hashes and what asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.supply.lock import ROOT, Pin, read_lock


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_of_a_lock_file_has_hashes_and_something_that_asks_for_it(name: str) -> None:
    pins = {pin.name: pin for pin in read_lock(ROOT / name)}
    assert len(pins) > 50
    assert all(pin.digests for pin in pins.values())
    assert all(set(pin.needed_by) & {"watchofficer", *pins} for pin in pins.values())


def test_a_pin_is_read_with_all_that_stands_below_it(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text(
        f"colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
        "    # via\n    #   -c requirements.lock\n    #   watchofficer (pyproject.toml)\n    #   click\n"
        f"one==1.0 \\\n    --hash=sha256:{'c' * 64}\n    # via click\n"
    )
    colorama = Pin(
        "colorama", "0.4.6", "sys_platform == 'win32'", ("a" * 64, "b" * 64), ("watchofficer", "click")
    )
    assert read_lock(tmp_path / "a.lock") == [colorama, Pin("one", "1.0", "", ("c" * 64,), ("click",))]


@pytest.mark.parametrize("line", ["one>=1.0 \\", "one==1.0", "-e .", "", "    --hash=md5:00"])
def test_no_line_is_overlooked(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text(f"one==1.0 \\\n    --hash=sha256:{'a' * 64}\n{line}\n")
    with pytest.raises(ValueError, match=r"a\.lock:3: "):
        read_lock(tmp_path / "a.lock")
