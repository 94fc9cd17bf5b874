"""What does each detector look like as it fires? ``python -m benchmarks.quality.firing`` draws ``docs/detection``.

Every plot shows a scenario of the library with one seed, run through the whole pipeline; the plots are a function of
the simulator and the policy. docs/detection.md shows them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.cases import Case
from benchmarks.quality.timeline import Curve, Limit, Span, spans, timeline
from detectors.arrays import Floats
from detectors.confidence import wilson_lower
from detectors.detection.failing.failures import Failures
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, EXCLUDED, GOOD, SLOW, STARTED, TIMED
from detectors.windows.frame import Frame
from streams.replay.replay import Replay
from streams.settings.policy_file import default_policy

__all__ = ["PICTURES", "Picture", "draw", "main"]

#: The seed of all plots, one of the tuning seeds.
_SEED = 1
#: The greatest number of points of a curve, so that the files stay small.
_POINTS = 400

Read = Callable[[Frame, Mapping[str, Verdicts], int], dict[str, Floats]]


@dataclass(frozen=True)
class Picture:
    """One plot.

    Attributes:
        name: the name of the file.
        kind: the name of the scenario.
        title, axis: title and axis label of the plot.
        scope: the scope, without its environment.
        detector: the detector whose firing is shown.
        read: returns the curves of a frame, name -> (step,); none if the plot shows the incident's people.
        around: the interval that is shown, in minutes relative to the beginning of the outage.
        limits: the limits of the curves.
        most: the upper end of the axis.
    """

    name: str
    kind: str
    title: str
    axis: str
    scope: str
    detector: str
    read: Read
    around: tuple[float, float]
    limits: tuple[Limit, ...] = ()
    most: float | None = None


def _failing(*windows: int) -> Read:
    """Return a reader of the surely failing ratio, in people, of some windows (ms)."""

    def read(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
        failures, z = Failures.of_sign_in(frame), default_policy().burn_rate.confidence
        return {
            f"surely failing, {_name(w)}": wilson_lower(
                failures.people[failures.at(w), :, scope], failures.trials[failures.at(w), :, scope], z
            )
            for w in windows
        }

    return read


def _evidence(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the evidence of failures."""
    found = verdicts["outage"]
    numbers = [found.explain(n, scope).numbers for n in range(len(frame.ends))]
    return {"evidence": np.array([float(of.get("evidence") or 0.0) for of in numbers])}


def _burning(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the burn rates of an hour and of five minutes."""
    out = {}
    for window in (HOUR, 5 * MINUTE):
        good, bad = (frame.counts[window][:, scope, c].astype(np.float64) for c in (GOOD, BAD))
        ratio = bad / np.maximum(good + bad, 1.0)
        out[f"burn rate, {_name(window)}"] = ratio / (1 - default_policy().objectives["ssoe"].availability)
    return out


def _arriving(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the sign-ins that start, and those that are usual by the previous two weeks."""
    window, found = 2 * MINUTE, verdicts["silence"]
    numbers = [found.explain(n, scope).numbers for n in range(len(frame.ends))]
    # each finding refers to a window of its own
    usual = [float(of.get("usual") or 0.0) * window / float(of.get("window_ms") or window) for of in numbers]
    return {
        "arrived in 2m": frame.counts[window][:, scope, STARTED].astype(np.float64),
        "usual in 2m": np.array(usual),
    }


def _slow(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the share of slow requests."""
    out = {}
    for window in (MINUTE, 5 * MINUTE):
        slow, timed = (frame.counts[window][:, scope, c].astype(np.float64) for c in (SLOW, TIMED))
        out[f"slow, {_name(window)}"] = slow / np.maximum(timed, 1.0)
    return out


def _returning(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the sign-ins that start, and the callbacks."""
    counts = frame.counts[5 * MINUTE][:, scope].astype(np.float64)
    return {
        "started in 5m": counts[:, STARTED],
        "came back in 5m": counts[:, [GOOD, BAD, EXCLUDED]].sum(axis=1),
    }


def _surging(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the share of errors of users among all who come back."""
    counts = frame.counts[5 * MINUTE][:, scope].astype(np.float64)
    return {
        "errors of users, 5m": counts[:, EXCLUDED]
        / np.maximum(counts[:, [GOOD, BAD, EXCLUDED]].sum(axis=1), 1.0)
    }


def _gains(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return the gains of explanations, by the outage detector."""
    found = verdicts["outage"]
    gains = np.array([found.gain(n) for n in range(len(frame.ends))])
    names = ("*/idme", "ssoe/idme", "sis/idme", "")
    return {name or "prod": gains[:, frame.scopes.paths.index(name)] for name in names}


def _nothing(frame: Frame, verdicts: Mapping[str, Verdicts], scope: int) -> dict[str, Floats]:
    """Return no curves; the plot shows only the incident's."""
    return {}


def _name(window: int) -> str:
    return f"{window // SECOND}s" if window < MINUTE else f"{window // MINUTE}m" if window < HOUR else "1h"


PICTURES: tuple[Picture, ...] = (
    Picture(
        "outage",
        "ssoe_outage",
        "Every ssoe callback fails: the evidence of three people is enough",
        "nats of evidence",
        "ssoe",
        "outage",
        _evidence,
        (-1.0, 4.0),
        (Limit("fires from 21.6 on", 21.65),),
        most=150.0,
    ),
    Picture(
        "burn-rate",
        "ssoe_4_percent",
        "4 % of the ssoe callbacks fail: the month's budget burns forty times too fast",
        "multiples of the budget's rate",
        "ssoe",
        "burn_rate",
        _burning,
        (-5.0, 140.0),
        (Limit("fires over 14.4 in both", 14.4),),
    ),
    Picture(
        "silence",
        "ssoe_silence",
        "Nothing of ssoe arrives",
        "sign-ins",
        "ssoe",
        "silence",
        _arriving,
        (-5.0, 35.0),
    ),
    Picture(
        "latency",
        "ssoe_slow",
        "ssoe callbacks take eight times as long",
        "share over 2.43 s",
        "ssoe",
        "latency",
        _slow,
        (-5.0, 55.0),
        (Limit("fires over 0.25 in both", 0.25),),
        1.0,
    ),
    Picture(
        "funnel",
        "ssoe_never_returns",
        "People start with ssoe and nobody comes back",
        "sign-ins",
        "ssoe",
        "funnel",
        _returning,
        (-8.0, 60.0),
    ),
    Picture(
        "surge",
        "too_late_surge",
        "Three in ten ssoe callbacks say that the person took too long (005)",
        "share of all who come back",
        "ssoe",
        "surge",
        _surging,
        (-8.0, 60.0),
        most=0.5,
    ),
    Picture(
        "severity",
        "ssoe_ramp",
        "ssoe fails more and more: severity rises with the people, and falls with dwell",
        "people an hour",
        "ssoe",
        "outage",
        _nothing,
        (-5.0, 70.0),
        (Limit("severity 1 over 1,000", 1000.0), Limit("severity 2 over 50", 50.0)),
    ),
    Picture(
        "attribution",
        "idme_outage",
        "ID.me fails on both methods: one cause explains what both show",
        "nats",
        "*/idme",
        "outage",
        _gains,
        (-1.0, 6.0),
    ),
    Picture(
        "recovery",
        "ssoe_blip",
        "A blip of 20 seconds: its failures are long in the windows, and yet over",
        "share of people",
        "ssoe",
        "outage",
        _failing(MINUTE, 5 * MINUTE, 30 * MINUTE),
        (-1.0, 24.0),
        most=0.5,
    ),
)


@dataclass
class _Seen:
    """What was observed for one picture."""

    ends: list[np.ndarray]
    curves: dict[str, list[Floats]]
    firing: list[np.ndarray]


def draw(picture: Picture, policy: Policy) -> str:
    """Run a picture's scenario and return the picture as SVG."""
    case = Case("library", picture.kind, _SEED)
    scenario, simulation = case.play()
    (episode, *_) = (one for one in scenario.episodes if one.label != "none")
    begins = simulation.start + episode.at
    first, last = (begins + round(minutes * MINUTE) for minutes in picture.around)
    seen = _Seen([], {}, [])

    def observe(frame: Frame, verdicts: Sequence[Verdicts]) -> None:
        paths = frame.scopes.paths
        outside = frame.ends[-1] < first or frame.ends[0] > last
        if frame.env != "prod" or outside or picture.scope not in paths:
            return
        scope = paths.index(picture.scope)
        by_name = {verdict.detector: verdict for verdict in verdicts}
        seen.ends.append(frame.ends)
        seen.firing.append(by_name[picture.detector].state[:, scope] == FIRING)
        for name, values in picture.read(frame, by_name, scope).items():
            seen.curves.setdefault(name, []).append(values)

    entries = simulation.entries()
    replay = Replay([entries], policy, now=simulation.end + DAY, history=case.history(), observer=observe)
    incidents: list[tuple[int, int, int]] = []
    for verdict in replay.run():
        step = verdict.result
        if step.env == "prod" and first <= step.at <= last:
            incidents += [
                (step.at, one.users_impacted, one.severity)
                for one in step.incidents or ()
                if one.state not in ("resolved", "closed")
            ]
    truth = [record for record in simulation.truth() if str(record["scope"]).startswith("prod")]
    return _drawn(picture, seen, incidents, truth, begins)


def _drawn(
    picture: Picture,
    seen: _Seen,
    incidents: Sequence[tuple[int, int, int]],
    truth: Iterable[Mapping[str, object]],
    begins: int,
) -> str:
    ends = np.concatenate(seen.ends)
    inside = (ends >= begins + picture.around[0] * MINUTE) & (ends <= begins + picture.around[1] * MINUTE)
    every = max(1, int(inside.sum()) // _POINTS)
    minutes = np.round((ends[inside] - begins) / MINUTE, 4)
    curves = [
        Curve(name, np.round(np.concatenate(parts)[inside][::every], 5).tolist())
        for name, parts in seen.curves.items()
    ]
    rows = [
        Span(
            "truth",
            [
                tuple((parse_instant(str(one[edge])) - begins) / MINUTE for edge in ("start", "end"))  # type: ignore[misc]
                for one in truth
            ],
        ),
        Span("fires", spans(minutes.tolist(), np.concatenate(seen.firing)[inside].tolist())),
    ]
    open_at = {at for at, *_ in incidents}
    rows.append(Span("incident", spans(minutes.tolist(), [int(end) in open_at for end in ends[inside]])))
    if not curves:
        people = {at: users for at, users, _ in incidents}
        severity = {at: level for at, _, level in incidents}
        curves = [
            Curve("people an hour", [float(people.get(int(end), 0)) for end in ends[inside][::every]]),
        ]
        for level in (2, 1):
            on = [severity.get(int(end)) == level for end in ends[inside]]
            rows.append(Span(f"severity {level}", spans(minutes.tolist(), on)))
    return timeline(
        picture.title,
        picture.axis,
        minutes[::every].tolist(),
        curves,
        picture.limits,
        rows,
        most=picture.most,
    )


def main(arguments: Iterable[str] | None = None) -> None:
    """Draw all plots, or those that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.firing", description=__doc__)
    parser.add_argument("names", nargs="*", help="these plots; all by default")
    parser.add_argument("--folder", type=Path, default=Path("docs/detection"))
    options = parser.parse_args(None if arguments is None else list(arguments))
    known = {picture.name: picture for picture in PICTURES}
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no such plots: {', '.join(sorted(unknown))}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or known:
        place = options.folder / f"{name}.svg"
        place.write_text(draw(known[name], default_policy()))
        print(place)


if __name__ == "__main__":
    main()
