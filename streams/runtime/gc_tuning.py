"""How often does Python look for reference cycles in a worker? This module is imported first, and imports only `gc`.

A worker holds many objects that stay (modules, the policy, windows), and makes objects by the ten thousand that vanish
as soon as they are counted, hardly ever in a cycle. By default the collector runs after every 700 new objects, and at
times over all objects, which takes a tenth of the time of ingest.
"""

from __future__ import annotations

import gc

__all__ = ["tune_gc"]

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50


def tune_gc() -> None:
    """Make the collector run rarely, and exempt all objects that exist now.

    Call this once the long-lived objects exist. Hardly any of them is garbage, so a collection would only delay the
    start.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
