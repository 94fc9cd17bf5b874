"""The lock files: everything by name, version and hash, from wherever the machine takes its packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "benchmarks/peers/peers.lock",
    "docs/requirements.lock",
    "tests/fuzz/requirements.lock",
    "deploy/msk.lock",
    "tests/deploy/kubernetes.lock",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; \S.*)? \\$", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / lock).read_text()))


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_host_and_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(
        r"^\s*-", text.replace("    --hash=sha256:", ""), re.MULTILINE
    )  # no options but hashes
    assert not re.search(r"[a-z0-9-]\.(?:org|com|io|net|dev|gov)\b", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    packages = [number for number, line in enumerate(lines) if line and line[0] not in " #"]
    assert len(packages) == len(pins(lock)) > 8
    assert all(lines[number + 1].startswith("    --hash=sha256:") for number in packages)


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    extras = PROJECT["optional-dependencies"]
    runtime = [name_of(one) for one in PROJECT["dependencies"] + extras["demo"] + extras["build"]]
    assert set(runtime) <= pins("requirements.lock").keys()
    assert {name_of(one) for one in extras["dev"]} <= pins("requirements-dev.lock").keys()
    assert {name_of(one) for one in extras["msk"]} <= pins("deploy/msk.lock").keys()


def test_developers_run_the_versions_that_users_run() -> None:
    for lock in ("requirements.lock", "deploy/msk.lock"):
        assert pins(lock).items() <= pins("requirements-dev.lock").items()
