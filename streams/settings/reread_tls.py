"""How does a certificate that was renewed on disk reach the next connection, without a restart?"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import structlog

__all__ = ["RereadContext"]

log = structlog.get_logger(__name__)


class RereadContext(ssl.SSLContext):
    """A TLS context whose files are read again, for the next connection, when one of them has changed.

    Connections that stand keep what they were made with. While the files cannot be used, as when a certificate was
    renewed and its key was not yet, connections are made with what could be used last, and each asks again.

    Args:
        make: reads the files; raises ValueError or OSError if they cannot be used.
        files: whose time, size or place in the file system tells of a change. Links are followed.

    Raises:
        ValueError, OSError: the files cannot be used at the start.
    """

    _make: Callable[[], ssl.SSLContext]
    _files: tuple[Path, ...]
    _seen: tuple[object, ...]
    _current: ssl.SSLContext

    def __new__(cls, make: Callable[[], ssl.SSLContext], files: Iterable[Path]) -> Self:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._make, context._files = make, tuple(files)
        context._seen = context._stamps()
        context._current = make()
        return context

    def current(self) -> ssl.SSLContext:
        """Return the context that the next connection is made with."""
        stamps = self._stamps()
        if stamps != self._seen:
            try:
                self._current = self._make()
            except (ValueError, OSError) as error:
                log.warning("renewed_certificate_unusable", problem=str(error))
            else:
                self._seen = stamps
                log.info("certificates_reread", files=[str(file) for file in self._files])
        return self._current

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin TLS on a pair of buffers, as event loops do for each connection; see ``ssl.SSLContext``."""
        return self.current().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Begin TLS on a socket; see ``ssl.SSLContext``."""
        return self.current().wrap_socket(*arguments, **options)

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """Return the certificates of the authorities that are trusted; see ``ssl.SSLContext``."""
        return self.current().get_ca_certs(binary_form)

    def _stamps(self) -> tuple[object, ...]:
        found: list[object] = []
        for file in self._files:
            try:
                stat = file.stat()
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)
