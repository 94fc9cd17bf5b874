"""How many examples does a property test try? A share of them in a quick run, all of them in a deep run."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples", "register"]

_QUICK, _DEEP = "quick", "deep"
#: The number of examples of a deep run for each one of a quick run.
_SHARE = 5
#: The number of examples of a property that names none, in a deep run.
_BY_DEFAULT = 60


def register(*, derandomize: bool) -> None:
    """Let ``--hypothesis-profile=deep`` choose a deep run; without it a run is quick.

    Args:
        derandomize: try the same examples each time.
    """
    for name in (_DEEP, _QUICK):
        most = _BY_DEFAULT if name == _DEEP else _share(_BY_DEFAULT)
        settings.register_profile(
            name, deadline=None, print_blob=True, derandomize=derandomize, max_examples=most
        )
    settings.load_profile(_QUICK)


def examples(deep: int, *, at_least: int = 1) -> int:
    """Return how many examples this run tries of a property for which a deep run tries ``deep``.

    Args:
        deep: the number of examples in a deep run.
        at_least: the least number of examples that makes the test useful.
    """
    return deep if settings.get_current_profile_name() == _DEEP else max(_share(deep), at_least)


def _share(deep: int) -> int:
    return -(-deep // _SHARE)
