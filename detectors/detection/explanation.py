"""What do the findings of all detectors state about their cell (a scope at a step)?"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from detectors.axes import Scopes
from detectors.detection.lattice.lattice import CSP, METHOD, lattice_of
from detectors.detection.verdicts import STATES
from detectors.incidents import Cause, DetectorName

__all__ = ["cause_at", "of_scope"]


def cause_at(
    detector: DetectorName, scopes: Scopes, state: npt.NDArray[np.int8], step: int, scope: int
) -> partial[Cause]:
    """Return the finding at a cell of an environment, to be completed with the fields that only the detector knows.

    Args:
        detector: the detector that made the finding.
        scopes: the leaves and groups of the environment.
        state: (step, scope), see ``Verdicts``.
        step, scope: the cell, as positions.
    """
    return partial(
        Cause,
        detector=detector,
        scope=scopes.path(scope),
        state=STATES[int(state[step, scope])],
        csp_caused=lattice_of(scopes).value(scope, CSP) is not None,
    )


def of_scope(what: str, scopes: Scopes, scope: int) -> str:
    """Return ``what`` with a scope (position) in words: "idme on sis sign-ins", "ssoe sign-ins of vaweb"."""
    lattice = lattice_of(scopes)
    method, csp = lattice.value(scope, METHOD), lattice.value(scope, CSP)
    others = [lattice.value(scope, axis) for axis in scopes.axes if axis not in (METHOD, CSP)]
    before = " on ".join(value for value in (csp, method) if value is not None)
    after = " and ".join(value for value in others if value is not None)
    return f"{before} {what}".strip() + (f" of {after}" if after else "")
