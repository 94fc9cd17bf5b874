"""Are the policy and this machine as they must be?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from detectors.lint.lint import lint
from streams.cli.doctor.check import Check
from streams.settings.policy_file import read_document, shipped_values

__all__ = ["disk_check", "policy_checks"]

_SHOWN = 5  # findings
#: Of the disk on which temporary files are made, bytes: less is a warning, and a failure.
_LITTLE, _LEAST = 1 << 30, 100 << 20


def policy_checks(file: Path | None, now: int) -> Iterator[Check]:
    """Yield the checks of the policy: what lint finds.

    Args:
        file: of the policy; None for the one that ships.
        now: the present, ms.
    """
    if file is None:
        yield Check("policy", "ok", "the one that ships is in force")
        return
    try:
        found = lint(read_document(file), str(file), shipped_values(), now=now)
    except OSError as error:
        said = f"{file} cannot be read: {error.strerror}"
        yield Check("policy", "failed", said, "correct WATCHOFFICER_POLICY or the file")
        return
    if not found:
        yield Check("policy", "ok", f"{file}: lint finds nothing")
    more = f"watchofficer lint {file}"
    for one in sorted(found, key=lambda one: one.severity != "error")[:_SHOWN]:
        yield Check("policy", "failed" if one.severity == "error" else "warning", str(one), more)
    if len(found) > _SHOWN:
        yield Check("policy", "warning", f"{len(found) - _SHOWN} further findings", more)


def disk_check(folder: Path | None = None) -> Check:
    """The check of the disk on which a process makes temporary files: all that lasts stands on Kafka.

    Args:
        folder: where they are made; the folder of the system by default.
    """
    try:
        folder = folder or Path(tempfile.gettempdir())
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "disk",
            "failed",
            f"no temporary file can be made: {error.strerror or error}",
            "mount a folder that may be written, and name it by TMPDIR",
        )
    said = f"{free / (1 << 30):.1f} GiB are free in {folder}"
    if free >= _LITTLE:
        return Check("disk", "ok", said)
    return Check(
        "disk", "warning" if free >= _LEAST else "failed", said, "make room, or name another folder by TMPDIR"
    )
