"""Python's collector of reference cycles, told what a worker is like. Imports next to nothing: it comes first.

A worker holds much that stays (modules, the policy, windows) and makes objects by the ten thousand that vanish as soon
as they are counted: hardly ever a cycle. By default the collector looks at them after every 700, and in the end at
everything there is, which takes a tenth of the time of ingest.
"""

from __future__ import annotations

import gc

__all__ = ["calm_collector"]

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50


def calm_collector() -> None:
    """Let it look seldom, and never again at what is there now. Called when what stays has been made.

    Of that so little is garbage that looking for it would only hold up a start.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
