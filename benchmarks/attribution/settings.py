"""What evidence is asked for before combinations of attribute values are named."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SearchSettings"]


@dataclass(frozen=True)
class SearchSettings:
    """What evidence is asked for.

    Attributes:
        clustering: ρ, how much two trials of one leaf fail alike, 0 (independent) to 1 (all as one).
        scope_cost: nats that the first scope must gain more than. Chance gains them in one given scope with a
            probability of at most e^−scope_cost, if trials are independent.
        further_cost: nats that each scope after the first must gain more than, in what those before it have left.
        value_cost: nats that a scope must gain for each value that it names.
        own_excess: nats that a scope must gain in what it adds to each scope within it that names one value more;
            4.6 is a chance of 1 %, 0 asks for nothing.
        well_part: nats by which a part of a scope may speak against it, that is fit what is usual better than the
            share that fails in the scope; 6.9 is a chance of 0.1 % for each part, ``inf`` asks for nothing.
        traffic: trials from which on a value has traffic: speaks against a scope, or is missed among siblings.
        merge_from: from how many siblings on (scopes that differ in the value of one axis) the wider scope around them
            is told; two are enough where no other value has traffic. 0 for never.
        least_values: that a scope names; 1 leaves out the scope that is ``*`` on all axes.
    """

    clustering: float
    scope_cost: float
    further_cost: float
    value_cost: float = 0.0
    own_excess: float = 4.6
    well_part: float = 6.9
    traffic: float = 5.0
    merge_from: int = 3
    least_values: int = 0
