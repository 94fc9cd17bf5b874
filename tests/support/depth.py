"""How many examples a property test tries: a share of them in a quick run, all of them in a deep one."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples", "register"]

_QUICK, _DEEP = "quick", "deep"
#: A quick run tries one example of so many.
_SHARE = 5
_BY_DEFAULT = 100  # as hypothesis has it


def register(*, derandomize: bool) -> None:
    """Let ``--hypothesis-profile=deep`` choose a deep run; without it a run is quick.

    Args:
        derandomize: try the same examples each time.
    """
    for name in (_DEEP, _QUICK):
        settings.register_profile(name, deadline=None, print_blob=True, derandomize=derandomize)
    settings.register_profile(_QUICK, settings.get_profile(_QUICK), max_examples=_share(_BY_DEFAULT))
    settings.load_profile(_QUICK)


def examples(deep: int, *, at_least: int = 1) -> int:
    """How many examples this run tries of a property that a deep run tries ``deep`` times.

    Args:
        at_least: without fewer the property says nothing.
    """
    return deep if settings.get_current_profile_name() == _DEEP else max(_share(deep), at_least)


def _share(deep: int) -> int:
    return -(-deep // _SHARE)
