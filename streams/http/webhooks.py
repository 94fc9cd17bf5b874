"""How did each request at a door for webhooks end? It is counted, and what was refused is logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from detectors.instants import SECOND
from sinks.metrics.webhooks import WebhookMetrics
from streams.http.responses import ApiError

__all__ = ["Doorkeeper"]

#: Bodies without a good signature are logged once in this time at most, ms; the metric counts each.
_LOGGED_EVERY = SECOND
#: Status of a refusal -> how the request ended; every other status is a failure of ours.
_OUTCOMES = {401: "unsigned", 403: "unsigned", 400: "invalid", 413: "too_large"}

log = structlog.get_logger(__name__)


class Doorkeeper:
    """Counts and logs the requests at one door.

    Args:
        door: its name: pagerduty or slack.
        signature: the header that signs a request.
        metrics: counts requests.
        clock: ms since the epoch.
    """

    def __init__(
        self, door: str, signature: str, *, metrics: WebhookMetrics, clock: Callable[[], int]
    ) -> None:
        self._door = door
        self._signature = signature
        self._metrics = metrics
        self._clock = clock
        self._logged_at: int | None = None

    async def answer(
        self, request: web.Request, handled: Awaitable[tuple[web.Response, str]]
    ) -> web.Response:
        """Return the answer of ``handled``, which says how the request ended beside it.

        Raises:
            ApiError: it was refused, or could not be taken.
        """
        outcome = "failed"
        try:
            answer, outcome = await handled
            return answer
        except ApiError as error:
            outcome = _OUTCOMES.get(error.status, "failed")
            if outcome == "unsigned":
                self._log_unsigned(request, error.message)
            elif outcome != "failed":
                log.warning("webhook_refused", door=self._door, status=error.status, why=error.message)
            raise
        finally:
            self._metrics.count(self._door, outcome)

    def _log_unsigned(self, request: web.Request, why: str) -> None:
        now = self._clock()
        if self._logged_at is None or not 0 <= now - self._logged_at < _LOGGED_EVERY:
            self._logged_at = now
            log.warning(
                "webhook_not_signed",
                door=self._door,
                why=why,
                signed=self._signature in request.headers,
                bytes=request.content_length,
            )
