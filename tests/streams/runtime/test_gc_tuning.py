"""The collector of cycles."""

from __future__ import annotations

import gc

from streams.runtime.gc_tuning import tune_gc


def test_the_collector_leaves_alone_what_is_there_and_looks_seldom_at_the_rest() -> None:
    thresholds = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)  # Python's own
    try:
        tune_gc()
        assert gc.get_freeze_count() > 10_000
        assert all(now >= before for now, before in zip(gc.get_threshold(), (700, 10, 10), strict=True))
        assert gc.isenabled()
    finally:
        gc.set_threshold(*thresholds)  # what is exempt may stay so
