"""What is new in an environment, so that people should know it though nobody need be woken?

A notice is told once in seven days for each kind, field and value. Which notices there are is a function of the facts
alone: they are counted by the minute of the T at which they count, and judged at the end of each minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from detectors.axes import ANY, OTHER, named
from detectors.instants import DAY, FAR_PAST, HOUR, MINUTE, format_duration
from detectors.notices.clocks import ClockWatch, WrongClock
from detectors.policy.policy import Policy
from detectors.process.covers import Cover
from detectors.process.deploys import Deploy
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind

__all__ = ["FIELDS", "Notice", "NoticeKind", "NoticeWatch"]

NoticeKind = Literal[
    "new_value", "retired_value", "unlisted", "moved", "clock", "mute", "maintenance", "correction", "deploy"
]

#: The fields beside the axes whose values the policy lists.
FIELDS = ("env", "step", "outcome")

#: A value that the policy does not list is told from this many events in an hour on.
_NEW_FROM = 200
#: A notice is told again after this time, ms.
_AGAIN_AFTER = 7 * DAY
#: The most values that are counted at a time, and the most notices that are remembered.
_COUNTED, _REMEMBERED = 256, 1_000
#: The most kinds of events of which the unlisted values are remembered.
_KINDS = 10_000

_Key = tuple[NoticeKind, str, str]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people should know and that wakes nobody.

    Attributes:
        at: the T, ms.
        kind: ``new_value``: the policy does not list it, and it has traffic; ``retired_value``: the policy says that it
            is retired, and it was seen; ``unlisted``: an environment, step or outcome that the policy does not list;
            ``moved``: hardly anything arrives of a value, and what is missing arrives by others of its axis; ``clock``:
            all events of a value say that they happened at another time than those of others; ``mute``,
            ``maintenance`` and ``correction``: one was set, began or ended, by a person or by time; ``deploy``: a
            version of a service has gone into use.
        env: the environment.
        field: an axis, ``env``, ``step`` or ``outcome``; of a cover ``set``, ``began`` or ``ended``; of a deploy
            ``service``.
        value: of that field; the id of a cover.
        count: events in the hour before T; of ``moved`` the sign-ins that are missing, of ``clock`` the events that
            were late, or ahead of the broker's time, in three minutes.
        text: one sentence.
        cover: the mute, maintenance or correction, as it stands then.
        deploy: what was deployed.
    """

    at: int
    kind: NoticeKind
    env: str
    field: str
    value: str
    count: int
    text: str
    cover: Cover | None = None
    deploy: Deploy | None = None


class NoticeWatch:
    """Counts the values of one environment that deserve a notice.

    Args:
        env: the environment.
        policy: lists the values.
        told: ``kind|field|value`` -> the T (ms) of the last notice of it.

    Attributes:
        doubted_to: as in ``Frame``: since a clock that is ahead has moved time, whoever is late is not behind.
    """

    def __init__(self, env: str, policy: Policy, told: Mapping[str, int] | None = None) -> None:
        self._env = env
        self._policy = policy
        self.told: dict[str, int] = dict(told or {})
        self.doubted_to = FAR_PAST
        self._of_kind: dict[Kind, tuple[_Key, ...]] = {}
        # minute (end of it, in minutes since the epoch) -> events by what they are notable for
        self._minutes: dict[int, Counter[_Key]] = {}
        self._clocks = ClockWatch(env, policy.axes, policy.step, policy.watermark_delay)

    def add(self, facts: FactColumns) -> None:
        """Count the events of rows, each at the end of the minute in which it counts first."""
        self._clocks.add(facts)
        notable = [self._notable(kind) for kind in facts.kinds]
        if not any(notable):
            return
        rows = np.flatnonzero(np.array([bool(keys) for keys in notable])[facts.kind])
        minutes = -(-facts.counts_from[rows] // MINUTE)
        for minute, kind, count in zip(
            minutes.tolist(), facts.kind[rows].tolist(), facts.count[rows].tolist(), strict=True
        ):
            counted = self._minutes.setdefault(minute, Counter())
            for key in notable[kind]:
                counted[key] += count

    def announce(self, ahead: FactColumns) -> None:
        """Note rows that arrive before they count, each once and before a T by which it has arrived is judged."""
        self._clocks.announce(ahead)

    def due(self, at: int, moved: Mapping[str, int] | None = None) -> list[Notice]:
        """Return the notices of T = ``at``, ms: none but at the end of a minute. Time never goes back.

        Args:
            at: T, ms.
            moved: path of a scope -> sign-ins that are missing of it and arrive elsewhere.
        """
        if at % MINUTE:
            return []
        clock = self._clocks.due(at, leapt=self.doubted_to > FAR_PAST)
        if not (self._minutes or moved or clock):
            return []
        minute = at // MINUTE
        for old in [one for one in self._minutes if one <= minute - HOUR // MINUTE]:
            del self._minutes[old]
        counts: Counter[_Key] = Counter()
        for one in sorted(self._minutes):
            if one <= minute:
                for key in sorted(self._minutes[one]):
                    if key in counts or len(counts) < _COUNTED:
                        counts[key] += self._minutes[one][key]
        counts.update(self._moved(moved or {}, at))
        if clock is not None:
            counts["clock", clock.field, clock.value] = clock.events
        out = [
            Notice(
                at=at,
                kind=kind,
                env=self._env,
                field=field,
                value=value,
                count=count,
                text=self._text_of(clock) if kind == "clock" else self._text(kind, field, value, count),
            )
            for (kind, field, value), count in sorted(counts.items())
            if self._deserves(kind, field, value, count, at)
        ]
        for notice in out:
            self.told[f"{notice.kind}|{notice.field}|{notice.value}"] = at
        if len(self.told) > _REMEMBERED:
            newest = sorted(self.told.items(), key=lambda one: (one[1], one[0]))[-_REMEMBERED:]
            self.told = dict(newest)
        return out

    def _moved(self, moved: Mapping[str, int], at: int) -> dict[_Key, int]:
        """Return the missing sign-ins of each value that is the only one of its scope, and that is expected."""
        found: dict[_Key, int] = {}
        for scope, missing in moved.items():
            values = [one for one in zip(self._policy.axes, named(scope), strict=False) if one[1] != ANY]
            if len(values) == 1 and not self._policy.is_retired(*values[0], at):
                found["moved", *values[0]] = missing
        return found

    def _deserves(self, kind: NoticeKind, field: str, value: str, count: int, at: int) -> bool:
        told = self.told.get(f"{kind}|{field}|{value}")
        if told is not None and at - told < _AGAIN_AFTER:
            return False
        if kind == "new_value":
            return count >= _NEW_FROM
        return kind in ("unlisted", "moved", "clock") or self._policy.is_retired(field, value, at)

    def _notable(self, kind: Kind) -> tuple[_Key, ...]:
        known = self._of_kind.get(kind)
        if known is None:
            if len(self._of_kind) >= _KINDS:
                self._of_kind.clear()
            known = self._of_kind[kind] = tuple(self._keys(kind))
        return known

    def _keys(self, kind: Kind) -> list[_Key]:
        policy = self._policy
        keys: list[_Key] = []
        if self._env not in policy.envs:
            keys.append(("unlisted", "env", self._env))
        if kind.step not in policy.steps.slis:
            keys.append(("unlisted", "step", kind.step))
        if kind.outcome not in policy.outcomes.kinds:
            keys.append(("unlisted", "outcome", kind.outcome))
        for axis, raw in zip(policy.axes, kind.leaf, strict=False):
            if raw is None or raw == OTHER:
                continue
            value = policy.aliases.get(axis, {}).get(raw, raw)
            listed = policy.values.get(axis, {}).get(value)
            if listed is None:
                keys.append(("new_value", axis, value))
            elif listed.retired is not None:
                keys.append(("retired_value", axis, value))
        return keys

    def _text_of(self, clock: WrongClock | None) -> str:
        assert clock is not None
        whose = self._env if clock.field == "env" else f"{clock.field} {clock.value} in {self._env}"
        if clock.by_broker:
            return (
                f"The clock of the producer of {whose} is {format_duration(clock.offset)} ahead of the broker's: "
                f"{clock.events:,} events came before their time in three minutes. "
                "Events count when their time comes, so that failures are seen too late. Set the clock."
            )
        is_behind = clock.offset < 0
        way = "behind" if is_behind else "ahead of all others"
        return (
            f"The clock of the producer of {whose} is {format_duration(abs(clock.offset))} {way}"
            f"{', or its events are delivered so late' if is_behind else ''}: {clock.events:,} events "
            f"{'of it ' if is_behind and clock.field != 'env' else ''}came late in three minutes. "
            "Events count when they arrive, but short windows see them too late or not at all. Set the clock."
        )

    def _text(self, kind: NoticeKind, field: str, value: str, count: int) -> str:
        events = f"{count:,} event" + "s" * (count != 1)
        match kind:
            case "new_value":
                return (
                    f"{value} is a new {field} in {self._env}: {events} in an hour, and the policy does not list it. "
                    f"List it under values.{field}, with its name and its banner."
                )
            case "retired_value":
                return (
                    f"{field} {value} is retired, and was seen again in {self._env}: {events} in an hour. "
                    f"See who still uses it, or correct its end under values.{field}."
                )
            case "moved":
                return (
                    f"Hardly anybody signs in by {field} {value} in {self._env} any more: {count:,} sign-ins "
                    "fewer than expected, which arrive by others instead. If that is for good, retire "
                    f"{value} under values.{field}."
                )
            case "unlisted" if field == "env":
                return (
                    f"{value} is an environment that the policy does not list: {events} in an hour. "
                    "Its incidents are severity 3 and wake nobody. List it under envs or as an alias of one."
                )
            case _:
                return (
                    f"The policy does not list the {field} {value}, so that it counts in no indicator of "
                    f"{self._env}: {events} in an hour. List it under {field}s."
                )
