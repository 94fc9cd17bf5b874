"""What do the findings of all detectors state about their cell (a scope at a step)?"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from detectors.detection.verdicts import STATES
from detectors.incidents import Cause, DetectorName
from detectors.scopes import SCOPES, scope_path

__all__ = ["cause_at", "of_scope"]


def cause_at(
    detector: DetectorName, env: str, state: npt.NDArray[np.int8], step: int, scope: int
) -> partial[Cause]:
    """Return the finding at a cell of an environment, to be completed with the fields that only the detector knows.

    Args:
        detector: the detector that made the finding.
        env: the environment.
        state: (step, scope), see ``Verdicts``.
        step, scope: the cell, as positions.
    """
    return partial(
        Cause,
        detector=detector,
        scope=scope_path(env, scope),
        state=STATES[int(state[step, scope])],
        csp_caused="/" in SCOPES[scope],
    )


def of_scope(what: str, scope: int) -> str:
    """Return ``what`` with a scope (position) in words: "ssoe sign-ins", "idme on sis sign-ins"; for all, ``what``."""
    method, _, csp = SCOPES[scope].partition("/")
    if not method:
        return what
    if not csp:
        return f"{method} {what}"
    return f"{csp} {what}" if method == "*" else f"{csp} on {method} {what}"
