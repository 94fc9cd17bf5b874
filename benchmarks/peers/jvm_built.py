"""Where are the jobs of the JVM's stream processors? Maven builds them once, into a folder named by their sources."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.peers.installed import NoPeers

__all__ = ["build", "built", "command", "pinned"]

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = Path(__file__).with_name("jvm")
#: What Flink and Kafka Streams ask for on Java 17, and the collector that suits one core.
_OPTIONS = (
    "-Xms1g",
    "-Xmx1g",
    "-XX:+UseSerialGC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)


def built() -> Path | None:
    """Return the folder of the classes and jars; None before ``build``."""
    folder = _folder()
    return folder if (folder / ".complete").exists() else None


def build() -> Path:
    """Build the jobs if necessary, and return the folder of the classes and jars.

    Raises:
        NoPeers: there is no Java or Maven, or Maven could not fetch or compile.
    """
    ready = built()
    if ready is not None:
        return ready
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise NoPeers(f"the stream processors of the JVM need Java and Maven: there is no {program}")
    folder = _folder()
    wanted = ["mvn", "-q", "-B", "-f", str(_SOURCES / "pom.xml"), "package", f"-Dbuilt={folder}"]
    done = subprocess.run(wanted, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise NoPeers(f"Maven could not build the jobs: {(done.stdout + done.stderr).strip()[-800:]}")
    (folder / ".complete").touch()
    return folder


def command(folder: Path, name: str) -> list[str]:
    """Return the command that runs a class of the folder; its arguments follow."""
    return ["java", *_OPTIONS, "-cp", f"{folder / 'classes'}:{folder / 'jars'}/*", name]


def pinned() -> dict[str, str]:
    """Return name -> version of the stream processors that the sources ask for."""
    text = (_SOURCES / "pom.xml").read_text()
    return dict(re.findall(r"<(kafka|flink)\.version>([^<]+)<", text))


def _folder() -> Path:
    sources = b"".join(path.read_bytes() for path in sorted(_SOURCES.iterdir()))
    return _ROOT / ".data" / f"peers-jvm-{hashlib.sha256(sources).hexdigest()[:12]}"
