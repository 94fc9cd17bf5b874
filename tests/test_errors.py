"""The tree of exceptions is the one that its module draws, and every public exception is in it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import detectors
import detectors.errors
import sinks
import streams
from detectors.errors import WatchofficerError

_DRAWN = re.compile(r"^[│ ]*[├└]── (\w+)", re.MULTILINE)


def below(root: type[BaseException]) -> Iterator[type[BaseException]]:
    for each in root.__subclasses__():
        yield each
        yield from below(each)


def test_the_tree_is_drawn_as_it_is() -> None:
    for package in (detectors, sinks, streams):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    drawn = _DRAWN.findall(detectors.errors.__doc__ or "")
    assert sorted(drawn) == sorted({each.__name__ for each in below(WatchofficerError)})
