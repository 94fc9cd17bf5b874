"""How are logs written: one line per event on standard error, for people or as JSON, without secrets?

One handler receives all lines: those of structlog, of the standard library's loggers (Faust, aiokafka, httpx), its
warnings, and uncaught exceptions. Secrets are masked in the finished line, whether they came as a value, inside a
message, or in the text of an exception.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from aiokafka.errors import KafkaError

__all__ = ["MASK", "configure_logs", "masker"]

#: The text that replaces a secret.
MASK = "[secret]"
#: Loggers of the libraries that say at length how they start, join groups and stop.
_LIBRARIES = ("aiohttp", "aiokafka", "faust", "kafka", "mode")


class _Masker:
    """Replaces secrets in text, in plain form and in the forms that JSON, URLs and Python's repr give them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)} - {""}
        # The longest first, because one secret may begin with another.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text


def masker(secrets: Iterable[str]) -> _Masker:
    """Return a function that masks ``secrets`` in a text."""
    return _Masker(secrets)


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may stand in a line."""
    as_bytes = repr(secret.encode())[2:-1]
    for text in (
        secret,
        repr(secret)[1:-1],
        as_bytes,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
    ):
        # A line may quote the secret twice, for example a repr or a JSON body in a JSON line.
        for written in (text, text.replace("'", "\\'"), text.replace('"', '\\"')):
            yield written
            yield json.dumps(written)[1:-1]
            yield json.dumps(written, ensure_ascii=False)[1:-1]
            yield json.dumps(json.dumps(written))[3:-3]
            yield repr(written)[1:-1]


class _Repeats:
    """Passes repeated lines of some libraries at most once per ``_EVERY``, with the number of lines held back.

    While a broker is unreachable, aiokafka's clients log this about a hundred times per second, and aiohttp's server
    logs each request that is no HTTP with a traceback. Both would hide all other lines.
    """

    _EVERY = 10.0  # seconds
    _MOST = 1_000  # kinds of lines for which the last time is kept

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return the record to log instead of ``record``; None for none."""
        if not record.name.startswith(("aiokafka", "aiohttp")):
            return record
        kind = (record.name, str(record.msg))
        at, held_back = self._said.get(kind, (float("-inf"), 0))
        if record.created - at < self._EVERY:
            self._said[kind] = (at, held_back + 1)
            return None
        if len(self._said) > self._MOST:
            self._said.clear()
        self._said[kind] = (record.created, 0)
        if not held_back:
            return record
        passed = copy.copy(record)
        passed.msg, passed.args = f"{record.getMessage()} ({held_back} more of these since the last)", ()
        return passed


def _is_of_note(record: logging.LogRecord) -> bool:
    """Whether a line is more than what mode says of the start and the end of a service.

    It says so of this program's services by the loggers of their modules, so no logger's level keeps these lines back.
    """
    return record.levelno >= logging.WARNING or Path(record.pathname).parent.name != "mode"


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    """A line of a library in which a broker's answer is an exception, without the library's traceback.

    The answer says what is wrong; where in the library it was read helps nobody.
    """
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, KafkaError) or isinstance(record.msg, dict):  # a dict: a line of this program
        return record
    passed = copy.copy(record)
    said = record.getMessage()
    passed.msg, passed.args = said if repr(error) in said else f"{said}: {error!r}", ()
    passed.exc_info = passed.exc_text = None
    return passed


class _Handler(logging.StreamHandler[TextIO]):
    """Writes masked lines. A line that cannot be written is not printed unmasked, as the standard library would do."""

    def __init__(self, stream: TextIO, mask: _Masker, *, verbose: bool) -> None:
        super().__init__(stream)
        self._mask = mask
        self._verbose = verbose
        self._repeats = _Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        passed = self._repeats(record)
        if passed is not None:
            super().emit(passed if self._verbose else _without_traceback(passed))

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:
        """Write one line about a line that could not be written, without its arguments, which may hold a secret."""
        kind = sys.exc_info()[0]
        why = kind.__name__ if kind else "unknown error"
        try:
            where = f"{record.name} {record.pathname}:{record.lineno}"
            self.stream.write(self._mask(f"a log line of {where} could not be written: {why}\n"))
        except Exception:  # standard error is closed, so nothing can be reported
            return


def configure_logs(
    log_format: Literal["console", "json"],
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    level: int = logging.INFO,
    verbose: bool = False,
) -> None:
    """Send all logs of the process to ``stream`` (standard error), with ``secrets`` masked.

    The last of several calls counts. ``secrets`` are those of ``Settings.secrets()``. Of the libraries beneath (Faust,
    aiokafka) warnings and errors alone are logged, unless ``verbose``.
    """
    target = stream if stream is not None else sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    finish: list[structlog.typing.Processor]
    if log_format == "json":
        finish = [
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            structlog.processors.JSONRenderer(),
        ]
    else:
        finish = [
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(),
                # The default prints the values of local variables.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(target, _Masker(secrets), verbose=verbose)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(level)
    _quieten(handler, level, verbose)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


def _quieten(handler: logging.Handler, level: int, verbose: bool) -> None:
    """Log warnings alone of the libraries beneath, unless ``verbose``, and of httpx in any case."""
    quiet = max(level, logging.WARNING)
    if not verbose:
        handler.addFilter(_is_of_note)
    # httpx logs each request at INFO; lines of this program already report each delivery.
    logging.getLogger("httpx").setLevel(quiet)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.NOTSET if verbose else quiet)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("watchofficer").critical("uncaught exception", exc_info=(kind, error, traceback))
