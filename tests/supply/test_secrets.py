"""A key of a service is found in a file, and what stands for a key is not."""

from __future__ import annotations

from pathlib import Path

from tests.supply.secrets import secrets_in


def test_a_key_is_found_by_its_form_and_is_not_said(tmp_path: Path) -> None:
    key = "AKIA" + "QW3RTY4SDFG5ZXCV"
    (tmp_path / "a.py").write_text(f'first = 1\nkey = "{key}"\n')
    (tmp_path / "b.py").write_text('key = "${AWS_KEY}"\ndigest = "9f86d081884c7d659a2feaa0c55ad015"\n')
    (line,) = secrets_in([tmp_path / "a.py", tmp_path / "b.py"])
    assert line == f"{tmp_path / 'a.py'}:2: AWS Access Key"
