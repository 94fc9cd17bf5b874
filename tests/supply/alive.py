"""Which dependencies had no release in two years? ``make alive`` asks the package index through ``uv``.

``uv lock`` finds the newest versions that this project can take, and notes when each file was uploaded. Nothing is
installed, and the project's own lock files stay as they are.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.supply.lock import ROOT

__all__ = ["ACCEPTED", "CouldNotAsk", "last_releases", "main", "newest", "verdict"]

TWO_YEARS = timedelta(days=730)
#: Quiet packages that are known, and why they may stay.
ACCEPTED = {
    "aiosmtpd": "tests alone: the mail server that receives what the e-mail receiver sends",
    "async-timeout": "of aiokafka: a part of Python itself since 3.11, kept for older versions",
    "colorama": "on Windows alone",
    "croniter": "of faust-streaming, whose cron timers are not used",
    "defusedxml": "development alone: of the bill of materials; small and finished",
    "mdurl": "of markdown-it-py: small and finished",
    "python-dateutil": "recurring maintenance (RFC 5545); finished, maintained as the standard is",
    "rfc3339-validator": "development alone: of openapi-schema-validator; one regular expression",
    "sortedcontainers": "of intervaltree and hypothesis: finished",
    "terminaltables": "of faust-streaming, whose tables are not printed",
    "venusian": "of faust-streaming, whose command line is not used",
}
_SECONDS = 500.0  # 60 s as a rule


class CouldNotAsk(Exception):
    """The index was not asked, or does not say when its files were uploaded."""


def newest(project: Path) -> dict[str, Any]:
    """What ``uv lock`` finds for a copy of a project's ``pyproject.toml``, as the tables of ``uv.lock``.

    Raises:
        CouldNotAsk: ``uv`` is missing, fails, or takes too long.
    """
    program = shutil.which("uv")
    if program is None:
        raise CouldNotAsk("uv is not installed")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(project / "pyproject.toml", folder)
        command = [program, "lock", "--quiet", "--no-cache", "--project", folder]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CouldNotAsk(f"no answer in {_SECONDS:.0f} s") from error
        if done.returncode:
            raise CouldNotAsk(done.stderr.strip() or f"uv lock ended with {done.returncode}")
        return tomllib.loads((Path(folder) / "uv.lock").read_text())


def last_releases(lock: Mapping[str, Any]) -> dict[str, datetime]:
    """When the last file of each package's newest version was uploaded, by name.

    Args:
        lock: the tables of ``uv.lock``.

    Raises:
        CouldNotAsk: there is no package, or the index does not say when the files of one were uploaded.
    """
    found = {}
    for package in lock.get("package", ()):
        if "registry" not in package["source"]:
            continue  # the project itself
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        times = [datetime.fromisoformat(str(one["upload-time"])) for one in files if "upload-time" in one]
        if not times:
            raise CouldNotAsk(f"the index does not say when {package['name']} was uploaded")
        found[package["name"]] = max(times)
    if not found:
        raise CouldNotAsk("no package was found")
    return found


def verdict(releases: Mapping[str, datetime], now: datetime) -> tuple[list[str], bool]:
    """Lines on the packages without a release in two years, the longest quiet first, and whether all are accepted."""
    quiet = sorted((at, name) for name, at in releases.items() if at < now - TWO_YEARS)
    lines = [f"{name}: {at:%Y-%m-%d}, {ACCEPTED.get(name, 'NOT ACCEPTED')}" for at, name in quiet]
    names = {name for _, name in quiet}
    lines += [f"{name}: accepted as quiet, and is not any more" for name in sorted(ACCEPTED.keys() - names)]
    return lines, names <= ACCEPTED.keys()


def main() -> int:
    """Print the quiet packages; 0 if all are accepted, 1 if one is not, 2 if the index could not be asked."""
    argparse.ArgumentParser(prog="python -m tests.supply.alive", description=__doc__).parse_args()
    try:
        releases = last_releases(newest(ROOT))
    except CouldNotAsk as why:
        print(
            f"Not looked up: {why}. Run this with uv where the package index can be reached, one that says when files"
            " were uploaded.",
            file=sys.stderr,
        )
        return 2
    lines, accepted = verdict(releases, datetime.now(UTC))
    print(*lines, sep="\n")
    print(f"{len(releases)} packages asked for; no release in two years: the dated ones above")
    return 0 if accepted else 1


if __name__ == "__main__":
    sys.exit(main())
