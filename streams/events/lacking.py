"""What do valid events leave out that the watch needs to judge well? A sample of them tells.

Such an input is read without an error, and yet no incident may come of it: nobody can say why without looking here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from detectors.policy.policy import Policy
from streams.events.login_event import LoginEvent
from streams.events.somebody import spelt

__all__ = ["ENOUGH", "Lack", "Sampled"]

#: Of fewer events one does not conclude what a producer never says of provider, method and environment.
ENOUGH: Final = 20
#: The most distinct values that are kept, and that are named.
_MOST, _NAMED = 64, 3


class Lack(msgspec.Struct, frozen=True):
    """What no event of an input tells.

    Attributes:
        what: what is missing and what cannot be judged without it, as a clause.
        remedy: what to do, as a clause.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


@dataclass
class Sampled:
    """What some valid events of an input tell.

    Attributes:
        seen: how many events were looked at.
        owned: how many of them tell whose they are.
        provided: how many of them name a provider.
        envs, methods: environment and auth method -> how many events state it.
    """

    seen: int = 0
    owned: int = 0
    provided: int = 0
    envs: dict[str, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)

    def note(self, event: LoginEvent) -> None:
        """Look at one more event."""
        self.seen += 1
        self.owned += bool(event.user_hash or event.flow_id)
        self.provided += bool(event.csp)
        for counts, value in ((self.envs, event.env), (self.methods, event.auth_method)):
            if value in counts or len(counts) < _MOST:
                counts[value] = counts.get(value, 0) + 1

    def lacks(self, policy: Policy) -> Iterator[Lack]:
        """Yield what all events leave out, the most important first; nothing of no event.

        Args:
            policy: has the environments, methods and aliases.
        """
        if self.seen and not self.owned:
            yield Lack(
                "no event says whose it is, so all failures may be one person's and open no incident",
                "map user_hash, or flow_id",
            )
        if self.seen < ENOUGH:
            return
        if unlisted := _unlisted(policy, "env", self.envs, policy.envs):
            yield Lack(
                f"no event is of an environment that the policy lists (but of {unlisted}), so that incidents are of "
                "severity 3 and wake nobody",
                "if it is production, map env to prod, or make it an alias of prod (aliases.env of the policy)",
            )
        if unlisted := _unlisted(policy, "auth_method", self.methods, policy.values_of("auth_method")):
            yield Lack(
                f"no event is of a sign-in method that the policy lists (but of {unlisted}), so that no objective and "
                "no banner holds",
                "map auth_method, or list its name in the policy under values.auth_method or aliases.auth_method",
            )
        if "csp" in policy.axes and not self.provided:
            yield Lack(
                "no event names its credential provider, so that an outage of one is told as one of its method",
                "map csp",
            )


def _unlisted(policy: Policy, name: str, counts: Mapping[str, int], listed: tuple[str, ...]) -> str:
    """Name the most frequent values of a field if the policy lists none of all; "" otherwise."""
    stated = {policy.canonical_value(name, spelt(value)): count for value, count in counts.items()}
    if not listed or not stated.keys().isdisjoint(listed):
        return ""
    return ", ".join(value for value, _ in Counter(stated).most_common(_NAMED))
