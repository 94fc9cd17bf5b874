"""What the life cycle asks about a step is answered from the frame of the step."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Ints
from detectors.axes import Scopes
from detectors.engine.frame_builder import FrameBuilder
from detectors.engine.view import FrameView
from detectors.instants import MINUTE
from detectors.windows.counters import Classify
from detectors.windows.frame import Frame
from detectors.windows.returns import RETURNED, WENT
from streams.settings.policy_file import read_policy

SCOPES = Scopes("prod")
SCOPES.admit([("ssoe", "idme", None)])


def view(returns: dict[int, Ints], delays: str = "0s, 1m") -> FrameView:
    """Return the view of the only step of a frame with these starts and returns."""
    policy = read_policy(f"funnel: {{delays: [{delays}]}}", "p.yaml")
    classify = Classify(policy.event_classes, {})
    behind = FrameBuilder("prod", policy, classify)
    frame = Frame("prod", np.array([MINUTE]), {}, {}, policy.windows(), returns=returns, scopes=SCOPES)
    there = FrameView(frame, (), behind, policy, ())
    there.move_to(0)
    return there


def counted(scope: str, went: int, came: int) -> Ints:
    """Return (step, scope, counter) with the starts and returns of one scope."""
    counts = np.zeros((1, len(SCOPES), 2), dtype=np.int64)
    index = SCOPES.index(scope)
    assert index is not None
    counts[0, index, WENT], counts[0, index, RETURNED] = went, came
    return counts


SCOPE = "prod/ssoe/idme"


@pytest.mark.parametrize(
    ("delays", "share"),
    [
        ("0s", 30 / 100),
        ("1m", 30 / 70),  # 80 starts in 16 minutes, 10 of them in the last
        ("0s, 1m", 30 / 70),  # the delay with the fewest starts counts
    ],
)
def test_those_who_returned_are_compared_with_those_who_started_a_delay_before(
    delays: str, share: float
) -> None:
    returns = {
        MINUTE: counted(SCOPE, 10, 5),
        15 * MINUTE: counted(SCOPE, 100, 30),
        16 * MINUTE: counted(SCOPE, 80, 60),
    }
    assert view(returns, delays).returned(SCOPE, 15 * MINUTE) == pytest.approx(share)


def test_more_returns_than_starts_are_everybody() -> None:
    assert view({15 * MINUTE: counted(SCOPE, 10, 30)}, "0s").returned(SCOPE, 15 * MINUTE) == 1.0


def test_without_starts_or_counts_it_is_not_known_how_many_returned() -> None:
    nobody = view({15 * MINUTE: counted(SCOPE, 0, 3)}, "0s")
    assert nobody.returned(SCOPE, 15 * MINUTE) is None
    assert nobody.returned(SCOPE, 20 * MINUTE) is None, "no such window"
    assert nobody.returned("prod/sis/idme", 15 * MINUTE) is None, "no such scope"
    assert view({}).returned(SCOPE, 15 * MINUTE) is None
