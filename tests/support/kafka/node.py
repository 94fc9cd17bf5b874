"""How is a node of Apache Kafka run: in a container where a Docker engine answers, else as a Java process."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from streams.kafka.embedded_broker import free_port
from tests.support.kafka.certificates import Certificates
from tests.support.kafka.setup import Listener, Setup, properties

__all__ = ["NoKafka", "Node", "docker_answers", "node"]

_ROOT = Path(__file__).resolve().parents[3]
_POM = _ROOT / "deploy" / "kafka" / "pom.xml"
_CACHE = _ROOT / ".data" / "kafka"


class NoKafka(Exception):
    """Apache Kafka cannot run here. The message is one line that says what is missing."""


class Node(Protocol):
    """How the broker's process is run. ``start`` after ``kill`` or ``stop`` finds the data."""

    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self, paused: bool) -> None: ...
    def close(self) -> None: ...


def node(
    folder: Path, log: Path, setup: Setup, ports: Mapping[Listener, int], certificates: Certificates | None
) -> Node:
    """A node that is not started.

    Args:
        folder: holds its data, in ``data``, and its settings.
        log: the file that gets what it prints.
        setup: what the test has chosen.
        ports: of its listeners.
        certificates: of a secured node.

    Raises:
        NoKafka: there is neither a Docker engine nor Java and Maven.
    """
    if docker_answers():
        return _Container(folder, log, setup, ports, certificates)
    return _JavaProcess(folder, log, setup, ports, certificates)


# --------------------------------------------------------------------------------------------------
# In a container


def docker_answers() -> bool:
    """Return whether a Docker engine answers; if one does, it runs the node."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _variable(name: str) -> str:
    """Return the name of the environment variable that sets a broker setting in the Docker image."""
    return "KAFKA_" + name.upper().replace("-", "___").replace("_", "__").replace(".", "_")


class _Container:
    _IMAGE = "apache/kafka:4.1.1"
    pid = None

    def __init__(
        self,
        folder: Path,
        log: Path,
        setup: Setup,
        ports: Mapping[Listener, int],
        certificates: Certificates | None,
    ) -> None:
        from testcontainers.core.container import DockerContainer

        self._log = log
        container: Any = DockerContainer(self._IMAGE)
        for port in ports.values():
            container.with_bind_ports(port, port)
        controller = max(ports.values()) + 1
        settings = properties(setup, ports, "0.0.0.0", controller, certificates)
        if setup.disk_bytes is not None:
            settings["log.dirs"] = "/var/lib/watchofficer/kafka"
            container.with_volume_mapping(str(folder / "data"), "/var/lib/watchofficer", "rw")
        if certificates is not None:
            container.with_volume_mapping(str(folder), str(folder), "ro")
        for name, value in settings.items():
            container.with_env(_variable(name), value)
        container.with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
        self._container = container
        self._created = False

    def start(self) -> None:
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True

    def alive(self) -> bool:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=30)
        self._keep_log()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()
        self._keep_log()

    def pause(self, paused: bool) -> None:
        wrapped = self._container.get_wrapped_container()
        wrapped.pause() if paused else wrapped.unpause()

    def close(self) -> None:
        if self._created:
            self._keep_log()
            self._container.stop()

    def _keep_log(self) -> None:
        self._log.write_bytes(self._container.get_wrapped_container().logs())


# --------------------------------------------------------------------------------------------------
# As a Java process


class _JavaProcess:
    _CLUSTER = "d2F0Y2hvZmZpY2VyLXRlcw"  # 16 bytes in URL-safe base64: any will do

    def __init__(
        self,
        folder: Path,
        log: Path,
        setup: Setup,
        ports: Mapping[Listener, int],
        certificates: Certificates | None,
    ) -> None:
        self._classpath = str(_jars() / "*")
        self._log = log
        self._properties = folder / "server.properties"
        self._data = folder / "data" / "kafka"  # a small disk is mounted on ``data``
        settings = properties(setup, ports, "127.0.0.1", free_port(), certificates)
        settings["log.dirs"] = str(self._data)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        if self.alive():
            return
        if not self._data.exists():
            config = ["-c", str(self._properties)]
            self._java("kafka.tools.StorageTool", "format", "-t", self._CLUSTER, *config).wait(timeout=60)
        self._process = self._java("kafka.Kafka", str(self._properties))

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self, paused: bool) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        if paused:  # a thread may still answer until the last of them has stopped
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def close(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=30)
        self._process.kill()
        self._process.wait()
        self._process = None

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        quick = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ]
        with self._log.open("ab") as output:
            return subprocess.Popen(
                ["java", *quick, *logging, "-cp", self._classpath, main, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def _jars() -> Path:
    """Return the folder of Apache Kafka's jars; Maven fetches them again if the pom has changed."""
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    jars = _CACHE / f"jars-{version}"
    if jars.exists():
        return jars
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise NoKafka(f"Apache Kafka needs a Docker engine, or Java and Maven: there is no {program}")
    arriving = _CACHE / f"arriving-{uuid.uuid4().hex}"
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={arriving}"]
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(_POM), *goal], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoKafka(f"Maven could not fetch Apache Kafka: {(done.stdout + done.stderr)[-500:]}")
    with suppress(OSError):  # another test process was first
        os.rename(arriving, jars)
    shutil.rmtree(arriving, ignore_errors=True)
    return jars
