"""For which outages of a case is a banner due, and what do its banners come to?"""

from __future__ import annotations

from benchmarks.quality.banners.measure import Due, Figures, Watched
from benchmarks.quality.cases import Case
from benchmarks.quality.runs import play
from detectors.backtest.labels import Label
from detectors.instants import MINUTE
from detectors.policy.policy import Policy
from sinks.banner.keys import BannerKeys
from streams.evaluate.evaluator import Verdict
from streams.settings.policy_file import default_policy
from streams.simulate.scenario import Scenario
from streams.simulate.worlds.world import SIGN_IN_STEPS

__all__ = ["figures"]

_KINDS = ("outage", "silence", "funnel")
_EFFECTS = ("failure", "silence", "no_return")


def figures(case: Case) -> Figures:
    """Run a case by the shipped policy, and return what its banners come to."""
    policy = default_policy()
    watched = Watched(policy.watermark_delay)

    def see(verdict: Verdict) -> None:
        for banner in verdict.banners:
            watched.take_banner(banner.key, banner.state, banner.version)
        watched.take_slis(verdict.result.sli)

    run = play(case, policy, seen=see, sli_every=MINUTE)
    labels = [answer.label for answer in run.score.answers if answer.label.kind in _KINDS]
    scenario, _ = case.play()
    due = [one for label in labels for one in _due(label, scenario, policy)]
    failing = [*due, *(Due(label.scope, label.start, label.end) for label in labels)]
    return watched.figures(due, failing)


def _due(label: Label, scenario: Scenario, policy: Policy) -> list[Due]:
    """The outage of a label from when on its banner is due; nothing if none is."""
    least = policy.banner.min_failing_ratio
    if not label.page or label.severity not in (1, 2):
        return []
    if not BannerKeys(policy).of_scope(label.scope, label.start):
        return []
    for episode in scenario.episodes:
        begins = scenario.start + episode.at
        if (episode.about or episode.scope, begins) != (label.scope, label.start):
            continue
        fails = episode.effect in _EFFECTS and not set(SIGN_IN_STEPS).isdisjoint(episode.steps)
        if fails and episode.share >= 2 * least:
            risen = round(episode.rise * least / episode.share)
            return [Due(label.scope, label.start + risen, label.end)]
    return []
