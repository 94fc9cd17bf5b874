"""Which incidents does a simulated month hold, and what do the people in it do, forget and get wrong?

Instants are seconds since the start of the month; every one lies on a grid of ``STEP`` seconds. Nothing here knows how
an incident is judged: a story says what fails, how many people it hits, and who says what when.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

__all__ = ["GAP_BEFORE", "HOUR", "MINUTE", "STEP", "Act", "Epoch", "Story", "stories"]

STEP = 30
MINUTE, HOUR = 60, 3_600
#: Before this story there are two hours without an incident, for maintenance.
GAP_BEFORE = 10
_METHODS = ("prod/ssoe", "prod/sis", "prod")
_OTHERS = ("prod/*/idme", "prod/ssoe/logingov")
#: People an hour, far from the thresholds of the severities.
_RATES = {3: (8, 24), 2: (200, 600), 1: (3_000, 9_000)}
_NAMES = ("Ada Lovelace", "Bo Ek", "Cy Twombly")
#: The policy's times to recover, to resolve and to reopen within, s.
_RECOVERS, _RESOLVES, _REOPENS = 60, 900, 1_800


@dataclass(frozen=True)
class Act:
    """What somebody says of an incident: when, the kind of its input, who, and the fields of the input."""

    at: int
    kind: str
    by: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """A time in which something fails.

    Attributes:
        spans: from and until when findings fire, both included; more than one where it fails again while recovering.
        acts: before the resolution, in order.
        resolved_by: who resolves it, and when, where a person does.
    """

    spans: tuple[tuple[int, int], ...]
    acts: tuple[Act, ...] = ()
    resolved_by: tuple[int, str] | None = None

    @property
    def opened(self) -> int:
        """When its first finding fires."""
        return self.spans[0][0]

    @property
    def last(self) -> int:
        """When a finding fires for the last time."""
        return self.spans[-1][1]

    @property
    def over(self) -> int:
        """When it is resolved."""
        return self.last + _RESOLVES if self.resolved_by is None else self.resolved_by[0]


@dataclass(frozen=True)
class Story:
    """An incident and its people.

    Attributes:
        scope, detector: what fails and how it is found; ``report`` for what a person alone has said.
        began: the first failing event.
        severity: that its people make it; 1-3.
        rises: when it becomes severity 1, if it was 2 before.
        rate: people an hour before and after that.
        epochs: one, or two where it fails again within half an hour of its resolution.
        after: acts after its end.
        muted: whether a mute hides all of it.
        csp_caused: whether a credential provider has caused it.
    """

    scope: str
    detector: Literal["outage", "latency", "silence", "report"]
    began: int
    severity: int
    rises: int | None
    rate: tuple[int, int]
    epochs: tuple[Epoch, ...]
    after: tuple[Act, ...] = ()
    muted: bool = False
    csp_caused: bool = False

    @property
    def ends(self) -> int:
        """When nothing happens in it any more, closing included."""
        return max([self.epochs[-1].over + _REOPENS, *(act.at for act in self.after)]) + 2 * STEP


def stories(seed: int, count: int) -> list[Story]:
    """Draw incidents, one after another, from the tenth minute of the month on."""
    random = Random(f"incidents/{seed}")
    out, free = list[Story](), 10 * MINUTE
    for number in range(count):
        free += 2 * HOUR if number == GAP_BEFORE else 0
        free = -(-free // 300) * 300 + random.choice((0, 300, 900))
        out.append(_story(random, free))
        free = out[-1].ends + 5 * MINUTE
    return out


def _grid(random: Random, low: float, high: float) -> int:
    """Seconds on the grid between two numbers of minutes."""
    return random.randint(round(low * MINUTE / STEP), round(high * MINUTE / STEP)) * STEP


def _story(random: Random, began: int) -> Story:
    kind = random.choices(("outage", "latency", "silence", "report"), (80, 8, 6, 6))[0]
    scope = random.choice((*_METHODS, *_OTHERS) if kind in ("outage", "report") else _METHODS[:2])
    severity = random.choices((1, 2, 3), (30, 45, 25))[0] if kind == "outage" else 3
    opened = began + (5 * MINUTE if kind == "report" else _grid(random, 0.5, 4))
    if kind == "report":
        return _reported(random, Story(scope, "report", began, 3, None, (0, 0), ()), opened)
    until = opened + _grid(random, *random.choices(((3, 14), (16, 50), (55, 100)), (45, 35, 20))[0])
    rises = None
    if severity == 2 and until - opened > 12 * MINUTE and random.random() < 0.3:
        rises, severity = opened + 8 * MINUTE, 1
    rate = random.randint(*_RATES[2 if rises else severity])
    story = Story(
        scope,
        kind,  # type: ignore[arg-type]
        began,
        severity,
        rises,
        (rate, random.randint(*_RATES[1]) if rises else rate) if kind == "outage" else (0, 0),
        (),
        muted=kind == "outage" and random.random() < 0.06,
        csp_caused=kind == "outage" and scope in _OTHERS and random.random() < 0.6,
    )
    spans = [(opened, until)]
    if random.random() < 0.12:
        again = until + _grid(random, 3, 12)
        spans.append((again, again + _grid(random, 5, 20)))
    first = _people(random, story, Epoch(tuple(spans)))
    epochs = [first]
    if first.resolved_by is None and random.random() < 0.12:
        again = first.over + _grid(random, 5, 25)
        epochs.append(_people(random, story, Epoch(((again, again + _grid(random, 5, 30)),))))
    return _afterwards(random, replace(story, epochs=tuple(epochs)))


def _people(random: Random, story: Story, epoch: Epoch) -> Epoch:
    """What people do while it lasts."""
    opened, until = epoch.spans[0]
    acts = list[Act]()

    def when(low: float, high: float) -> int | None:
        """A time in the first span, not within minutes of a rise, a declaration or a response time; None: too late."""
        at = opened + _grid(random, low, high)
        near = [x for x in (story.rises, opened + 900, opened + 1_800, opened + 3_600) if x is not None]
        return at if at < until and all(abs(at - x) > 4 * MINUTE for x in near) else None

    if random.random() < 0.8 and (at := when(*random.choices(((0.5, 24), (31, 95)), (80, 20))[0])):
        way = random.choices(("us", "pagerduty", "merge"), (50, 35, 15))[0]
        way = "us" if story.muted or story.detector == "latency" or at < opened + 2 * MINUTE else way
        acts.append(Act(at, "acknowledge", random.choice(_NAMES), {"way": way}))
        if random.random() < 0.3:
            acts.append(Act(at + STEP, "acknowledge", "Di Late", {"way": "us"}))  # refused: it is taken
    by_hand = story.detector == "outage" and story.rises is None and random.random() < 0.12
    if by_hand and (at := when(1, 10)):
        acts.append(Act(at, "declare", random.choice(_NAMES)))
    for kind, chance, more in (
        ("assign", 0.4, {"role": "technical_lead", "who": random.choice(_NAMES)}),
        ("assign", 0.15, {"role": "commander", "who": random.choice(_NAMES)}),
        ("note", 0.5, {"ago": _grid(random, 0, 10)}),
        ("note", 0.3, {"ago": 0}),
        ("update", 0.3, {}),
        ("eta", 0.3, {"ahead": _grid(random, 20, 60)}),
    ):
        if random.random() < chance and (at := when(0.5, 60)):
            acts.append(Act(at, kind, random.choice(_NAMES), {**more, "n": len(acts)}))
    steady = story.detector == "outage" and story.rises is None and len(epoch.spans) == 1
    if steady and random.random() < 0.1 and (at := when(2, 40)) and until - at > 10 * MINUTE:
        acts.append(Act(at, "resolve", random.choice(_NAMES)))
    acts.sort(key=lambda act: act.at)
    if random.random() < 0.12 and story.detector != "silence":
        by, at = random.choice(_NAMES), epoch.last + _grid(random, 3, 13)
        return replace(epoch, acts=tuple(acts), resolved_by=(at, by))
    return replace(epoch, acts=tuple(acts))


def _reported(random: Random, story: Story, opened: int) -> Story:
    """Somebody reports what no detector finds; it is resolved by a person, or fades after two hours."""
    acts = [Act(opened, "report", random.choice(_NAMES))]
    if random.random() < 0.6:
        acts.append(Act(opened + _grid(random, 2, 25), "acknowledge", random.choice(_NAMES), {"way": "us"}))
    by = (opened + _grid(random, 35, 55), random.choice(_NAMES)) if random.random() < 0.6 else None
    ends = opened + 7_200 if by is None else by[0]
    last = opened if by is not None else ends - _RESOLVES
    return replace(story, epochs=(Epoch(((opened, opened), (last, last)), tuple(acts), by),))


def _afterwards(random: Random, story: Story) -> Story:
    """What people do when it is over, within half an hour and beyond; much of it is forgotten."""
    over, acts = story.epochs[-1].over, list[Act]()
    late = story.detector in ("outage", "silence")  # what wakes nobody takes no acts once it is closed

    def when() -> int:
        return over + _grid(random, 1, 50 if late else 28)

    items = ["statement", *(f"sign_in_{one}" for one in ("ssoe", "sis") if _has(story.scope, one))]
    acts += [
        Act(when(), "check", random.choice(_NAMES), {"item": item}) for item in items if random.random() < 0.6
    ]
    for n in range(random.choice((0, 0, 1, 2))):
        link = f"https://jira.example/ID-{n}" if random.random() < 0.7 else None
        acts.append(Act(when(), "follow_up", random.choice(_NAMES), {"link": link, "n": n}))
    if random.random() < 0.6:
        acts.append(Act(when(), "post_mortem", random.choice(_NAMES), {"link": "https://wiki.example/pm"}))
    acts.sort(key=lambda act: act.at)
    if acts and random.random() < 0.7:
        at = acts[-1].at + STEP if late else over + 29 * MINUTE
        acts.append(Act(at, "complete", random.choice(_NAMES)))
    return replace(story, after=tuple(acts))


def _has(scope: str, method: str) -> bool:
    return scope.split("/")[1:2] in ([], ["*"], [method])
