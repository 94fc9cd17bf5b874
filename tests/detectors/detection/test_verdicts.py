"""All detectors keep the rules of verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.outage import OutageDetector
from detectors.detection.silence import SilenceDetector
from detectors.detection.verdicts import FIRING, STATES, Verdicts
from detectors.history.history import History
from detectors.incidents import Cause
from detectors.instants import DAY
from detectors.scopes import SCOPES, scope_path
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import START, Traffic, usual

POLICY = default_policy()
TRAFFICS = {
    "nothing": Traffic(5, level=0.0).silence("", 0, 5),
    "a quiet night": Traffic(3_600, 1, level=0.01),
    "an ordinary day": Traffic(3_600, 1),
    "an outage": Traffic(3_600, 1).fail("ssoe", 3_000, 3_600),
    "sessions failing": Traffic(3_600, 1).fail("sis", 3_000, 3_600, session=True),
    "silence": Traffic(3_600, 1).silence("", 3_000, 3_600),
}
HISTORIES: dict[str, Callable[[], History]] = {
    "no history": lambda: History("prod"),
    "two weeks": lambda: usual(days=16, start=START + DAY),
}


def judged(traffic: str, history: str) -> list[Verdicts]:
    frame = TRAFFICS[traffic].frame(TRAFFICS[traffic].seconds - 3)
    known = HISTORIES[history]()
    return [
        OutageDetector(POLICY, known).judge(frame),
        BurnRateDetector(POLICY, known).judge(frame),
        SilenceDetector(POLICY, known).judge(replace(frame, covered_from=START)),
    ]


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("traffic", TRAFFICS)
def test_every_cell_has_a_state_a_gain_and_a_finding_that_can_be_written_down(
    traffic: str, history: str
) -> None:
    for verdicts in judged(traffic, history):
        assert verdicts.state.shape == (3, len(SCOPES))
        assert verdicts.state.dtype == np.int8
        for n in range(3):
            gain = verdicts.gain(n)
            assert gain.shape == (len(SCOPES),)
            assert np.isfinite(gain).all()
            assert (gain >= 0).all()
            for s in range(len(SCOPES)):
                cause = verdicts.explain(n, s)
                assert msgspec.json.decode(msgspec.json.encode(cause), type=Cause) == cause
                assert (cause.detector, cause.scope) == (verdicts.detector, scope_path("prod", s))
                assert cause.state == STATES[int(verdicts.state[n, s])]
                assert 0.0 <= cause.failing_ratio <= 1.0
                assert "nan" not in cause.sentence
                assert cause.csp_caused == (SCOPES[s].count("/") == 1)


@pytest.mark.parametrize(("traffic", "firing"), [("an outage", "outage"), ("silence", "silence")])
def test_the_detectors_see_different_troubles(traffic: str, firing: str) -> None:
    found = {v.detector for v in judged(traffic, "two weeks") if (v.state == FIRING).any()}
    assert firing in found
    assert found <= {firing, "burn_rate"}
