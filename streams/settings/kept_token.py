"""How long is a token for OAUTHBEARER kept, until another is asked for?"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError

__all__ = ["KeptToken", "no_token"]

#: A token is asked for anew when this share of its life is over.
_OLD = 0.8


class KeptToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is not typed
    """Asks for a token, and keeps it for most of its life.

    Args:
        monotonic: seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: tuple[str, float] | None = None  # the token, and when it is old

    async def token(self) -> str:
        """Return a token.

        Raises:
            AuthenticationFailedError: none is given; the message holds no secret.
        """
        if self._kept is None or self._monotonic() >= self._kept[1]:
            asked_at = self._monotonic()
            token, life = await self._ask()
            self._kept = token, asked_at + _OLD * life
        return self._kept[0]

    @abstractmethod
    async def _ask(self) -> tuple[str, float]:
        """Return a new token, and how long it lives, in seconds."""


def no_token(source: object, why: str) -> AuthenticationFailedError:
    """Return the error of a place that should give a token: a file, or the address of a server.

    Args:
        source: the place.
        why: what is wrong with it, in words that hold no secret.
    """
    return AuthenticationFailedError(f"{source} gives no token for Kafka: {why}")
