"""How are webhooks of PagerDuty received: what is believed, what is answered, and what is asked again later?"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from pydantic import SecretStr

from detectors.incidents import IncidentInput
from sinks.metrics.webhooks import WebhookMetrics
from streams.http.inputs import InputDoor
from streams.http.pagerduty.reading import Ignored, Unknown, is_signed, read_webhook
from streams.http.requests import raw_body
from streams.http.responses import ApiError, json_response
from streams.http.views import Views
from streams.http.webhooks import Doorkeeper

__all__ = ["PATIENCE", "WEBHOOK_LIMIT", "PagerDutyDoor"]

#: The largest body, bytes. PagerDuty sends 256 KB at most; a body that is refused is never sent again.
WEBHOOK_LIMIT = 512 * 1024
#: How long a webhook waits for another one, seconds, that says which alerts its incident holds. PagerDuty waits 5 s.
PATIENCE = 1.5
_SIGNATURE = "X-PagerDuty-Signature"


class PagerDutyDoor:
    """Receives webhooks.

    Args:
        secret: signs webhooks; None: none is believed.
        prefix: returns what the dedup keys of this deployment begin with.
        views: what is known of the topics.
        door: puts inputs on the topic.
        metrics: counts webhooks.
        clock: ms since the epoch.
        patience: seconds to wait for what a webhook of the same incident may say.
    """

    def __init__(
        self,
        secret: SecretStr | None,
        prefix: Callable[[], str],
        *,
        views: Views,
        door: InputDoor,
        metrics: WebhookMetrics,
        clock: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        self._secret = secret
        self._prefix = prefix
        self._views = views
        self._door = door
        self._keeper = Doorkeeper("pagerduty", _SIGNATURE, metrics=metrics, clock=clock)
        self._clock = clock
        self._patience = patience

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one delivery; it is counted by how it ended."""
        return await self._keeper.answer(request, self._receive(request))

    async def _receive(self, request: web.Request) -> tuple[web.Response, str]:
        if self._secret is None:
            raise ApiError(
                403, "forbidden", "no webhook secret is configured (WATCHOFFICER_PAGERDUTY__WEBHOOK_SECRET)"
            )
        body = await raw_body(request, WEBHOOK_LIMIT)
        if not is_signed(self._secret, body, request.headers.get(_SIGNATURE, "")):
            raise ApiError(401, "unauthorized", f"{_SIGNATURE} does not sign this body")
        read = self._read(request, body)
        if isinstance(read, Unknown):
            if not self._views.ready:
                raise ApiError(
                    503, "service_unavailable", "the incidents are still being read", {"Retry-After": "2"}
                )
            await self._views.alerts.wait_for(read.incident, self._patience)
            read = self._read(request, body)
        if isinstance(read, Ignored):
            return json_response({"ignored": read.reason}), "ignored"
        if isinstance(read, Unknown):
            return json_response({"ignored": "no alert of ours"}), "ignored"
        return await self._door.accept(*read), "accepted"

    def _read(self, request: web.Request, body: bytes) -> tuple[IncidentInput, ...] | Ignored | Unknown:
        try:
            return read_webhook(
                body,
                delivery=request.headers.get("X-Webhook-Id"),
                prefix=self._prefix(),
                lookup=self._views.incident,
                known=self._views.alerts,
                now=self._clock(),
            )
        except ValueError as error:
            raise ApiError(400, "bad_request", str(error)) from None
