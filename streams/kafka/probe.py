"""Does the broker answer, and if not, why not?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from streams.kafka.clients import Client, ClientFactory
from streams.kafka.diagnosis import Diagnosis

__all__ = ["BrokerProbe"]

_PROBE_PATIENCE = 5.0


class BrokerProbe:
    """Asks the broker for its metadata, which is little.

    Args:
        clients: makes the connection.
        diagnose: finds out why the broker did not answer.
    """

    def __init__(
        self, clients: ClientFactory, diagnose: Callable[[BaseException], Awaitable[Diagnosis]]
    ) -> None:
        self._clients = clients
        self._diagnose = diagnose
        self._client: Client | None = None

    async def __call__(self) -> Diagnosis | None:
        """None if the broker answered, else what went wrong."""
        try:
            async with asyncio.timeout(_PROBE_PATIENCE):
                if self._client is None:
                    client = self._clients.client()
                    try:
                        await client.bootstrap()
                    except BaseException:
                        await client.close()
                        raise
                    self._client = client
                    return None
                await self._client.fetch_all_metadata()
        except Exception as error:  # whatever goes wrong on the way, it has not answered
            return await self._diagnose(error)
        return None

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()
