"""How many events were counted and rejected in all? Contributions of blocks are replaced, so each counts once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

from detectors.policy.policy import Policy
from detectors.values import OTHER
from detectors.windows.facts import FactRow, Kind
from streams.aggregate.rejected_share import RejectedShare
from streams.segments.codec import Tally
from streams.segments.input_partition import InputPartition, input_name

__all__ = ["Totals"]

#: Contributions are kept for at least so many blocks; older ones are not written any more.
_KEPT = 512
#: What follows from so many kinds is kept, at most.
_KINDS_KEPT = 8192

_Place = tuple[InputPartition, int, str]
_Label = tuple[str, str, str]
_kind_of = attrgetter(*Kind._fields)


class Totals:
    """Counts of events and of rejections of a worker's environments, as a policy names and classes them."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.events: defaultdict[str, Counter[_Label]] = defaultdict(Counter)
        self.unlisted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.rejected: Counter[str] = Counter()
        # (input, accepted | duplicate | rejected | skipped, reason or rule) -> events, or parts of records
        self.inputs: Counter[tuple[str, str, str]] = Counter()
        self.rejected_share = RejectedShare()
        self.duplicates = 0
        self.personal_fields = 0
        # Both in the order of their last replacement, so that what is still being written is never forgotten.
        self._events_of: dict[_Place, tuple[str, Counter[_Label], Counter[str]]] = {}
        # (environment, axis) -> values that are counted by themselves though the policy does not list them
        self._others: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._tallies: dict[tuple[InputPartition, int], Tally] = {}
        # (kind, environment, environment as named) -> what ``_labels_of`` gives
        self._labels: dict[tuple[tuple[Any, ...], str, str], tuple[_Label, tuple[str, ...]]] = {}

    def replace(self, place: _Place, rows: Sequence[FactRow], env: str) -> None:
        """Put the rows of a (partition, block, env) in the place of what it contributed before.

        They count for the environment ``env``.
        """
        counts: Counter[_Label] = Counter()
        unlisted: Counter[str] = Counter()
        of_kinds: dict[tuple[Any, ...], int] = {}
        for row in rows:
            kind = _kind_of(row)
            of_kinds[kind] = of_kinds.get(kind, 0) + row.count
        # Rows are many and kinds are few, and all else follows from the kind.
        for kind, count in of_kinds.items():
            label, fields = self._labels_of(kind, env, place[2])
            counts[label] += count
            for field in fields:
                unlisted[field] += count
        before = self._events_of.pop(place, None)
        if before is not None:
            self.events[before[0]].subtract(before[1])
            self.unlisted[before[0]].subtract(before[2])
        self.events[env].update(counts)
        self.unlisted[env].update(unlisted)
        self._events_of[place] = (env, counts, unlisted)
        if len(self._events_of) > 2 * _KEPT:
            self._events_of = dict(islice(self._events_of.items(), _KEPT, None))

    def _labels_of(self, values: tuple[Any, ...], env: str, named: str) -> tuple[_Label, tuple[str, ...]]:
        """The label under which a kind counts for an environment, and its fields that the policy does not list.

        Args:
            values: of the kind.
            env: the environment for which it counts.
            named: the environment that its events name.
        """
        known = self._labels.get((values, env, named))
        if known is None:
            kind = Kind._make(values)
            method, csp = (self._value(axis, kind, env) for axis in ("auth_method", "csp"))
            known = (method, csp, _result(kind, self._policy)), tuple(_unlisted(kind, self._policy, named))
            if len(self._labels) >= _KINDS_KEPT:
                self._labels.clear()
            self._labels[values, env, named] = known
        return known

    def _value(self, axis: str, kind: Kind, env: str) -> str:
        """The label of a kind's value; "none" without one, ``OTHER`` beyond the policy's ``max_values``."""
        raw = dict(zip(self._policy.axes, kind.leaf, strict=False)).get(axis)
        if raw is None:
            return "none"
        value, others = self._policy.canonical_value(axis, raw), self._others[env, axis]
        if value not in self._policy.values.get(axis, {}) and value not in others:
            if len(others) >= self._policy.max_values:
                return OTHER
            others.add(value)
        return value

    def note(self, partition: InputPartition, tallies: Iterable[Tally]) -> None:
        """Put the tallies of a partition's blocks in the place of what they were before."""
        for tally in tallies:
            before = self._tallies.get((partition, tally.block))
            if before is not None:
                if tally.last <= before.last or tally.first > before.first:
                    continue
                self.rejected.subtract(before.rejected)
                self.rejected_share.remove(before.slots)
                self.duplicates -= before.duplicates
                self.personal_fields -= before.personal_fields
                self.inputs.subtract(_of_input(partition, before))
                del self._tallies[partition, tally.block]
            self.rejected.update(tally.rejected)
            self.rejected_share.add(tally.slots)
            self.duplicates += tally.duplicates
            self.personal_fields += tally.personal_fields
            self.inputs.update(_of_input(partition, tally))
            self._tallies[partition, tally.block] = tally
        if len(self._tallies) > 2 * _KEPT:
            self._tallies = dict(islice(self._tallies.items(), _KEPT, None))


def _of_input(partition: InputPartition, tally: Tally) -> dict[tuple[str, str, str], int]:
    """What a tally says of its input: (input, result, rule or reason) -> how many."""
    name = input_name(partition)
    found = {(name, "accepted", ""): tally.accepted, (name, "duplicate", ""): tally.duplicates}
    found |= {(name, "rejected", reason): count for reason, count in tally.rejected.items()}
    return found | {(name, "skipped", rule): count for rule, count in tally.skipped.items()}


def _result(kind: Kind, policy: Policy) -> str:
    """Return the class of the events of a kind; "neutral" for an outcome that is neither good nor bad."""
    values = dict(zip(policy.axes, kind.leaf, strict=False))
    event_class = policy.event_classes.of(
        kind.step,
        kind.outcome,
        kind.code,
        kind.error_class,
        missing_csp="csp" in values and values["csp"] is None,
        missing_client="client_id" in values and values["client_id"] is None,
    )
    return event_class or "neutral"


def _unlisted(kind: Kind, policy: Policy, env: str) -> Iterator[str]:
    """The fields of a kind whose values the policy does not list."""
    if env not in policy.envs:
        yield "env"
    if kind.step not in policy.steps.slis:
        yield "step"
    if kind.outcome not in policy.outcomes.kinds:
        yield "outcome"
    for axis, raw in zip(policy.axes, kind.leaf, strict=False):
        if raw is not None and policy.canonical_value(axis, raw) not in policy.values.get(axis, {}):
            yield axis
