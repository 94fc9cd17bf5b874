"""From events through a segment to what is told: what failing people have in common on a further field."""

from __future__ import annotations

import numpy as np

from detectors.axes import Scopes
from detectors.commonality.commonality import in_common
from detectors.commonality.completed import Completed
from detectors.engine.frame_builder import classify_of
from detectors.incidents import Common
from detectors.instants import MINUTE, SECOND
from detectors.windows.fact_columns import FactColumns
from streams.aggregate.acceptance import Rules
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.events.columns import columns_of
from streams.segments.codec import BLOCK_OFFSETS, SealedSegment, Segment, decode_sealed, encode
from streams.settings.policy_file import default_policy
from tests.streams.events.strategies import event_bytes

POLICY = default_policy()
RULES = Rules.of(POLICY)
MINUTE_OF = 1_800_000_000_000


def test_what_a_block_records_of_acr_is_told_of_the_people_who_fail() -> None:
    some = [("success", "loa1" if n % 10 < 3 else "loa3") for n in range(60)]
    some += [("failure", "loa1" if n else "loa3") for n in range(60)]
    values = [
        event_bytes(event_id=f"e{n}", outcome=outcome, acr=acr, user_hash=f"h:{n}", error_code="007")
        for n, (outcome, acr) in enumerate(some)
    ]
    _, found, _ = columns_of(values, RULES.fields)
    cells = FactAccumulator(RULES.step, RULES.thresholds, RULES.bounds)
    cells.add_many(found, np.full(len(found), MINUTE_OF), np.zeros(len(found), dtype=np.int64))
    rows = cells.rows()["prod"]
    segment = Segment(
        RULES.step,
        BLOCK_OFFSETS,
        RULES.thresholds,
        0,
        0,
        "prod",
        0,
        119,
        rows,
        axes=POLICY.axes,
        further=RULES.fields.further,
    )
    sealed = decode_sealed(encode(segment))
    assert isinstance(sealed, SealedSegment)
    kept = Completed(classify_of(POLICY), Scopes("prod", POLICY.axes))
    kept.add(FactColumns.of(sealed.rows(POLICY.axes, POLICY.recorded_breakdowns), SECOND))
    kept.move_to(MINUTE_OF + MINUTE)
    population = kept.population("prod", MINUTE_OF - MINUTE, MINUTE_OF + MINUTE)
    told = in_common(population, "prod", POLICY.axes, POLICY.breakdowns, {"error_code": "007"})
    assert told == (Common(field="acr", value="loa1", failing=59, failing_of=60, usual_share=0.6417),)
