"""Does a process leave alone what another one says of the watch, and does somebody resolve what a dead one has said?"""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records.progress import Spoken, spoken_headers, spoken_in, spoken_key
from streams.runtime.progress import Why
from streams.watchdog.announcer import Announcer
from streams.watchdog.blindness import CAUSES, Statement
from streams.watchdog.peers import EVERY, FORGOTTEN_AFTER, Peers
from tests.streams.watchdog.world import World

ALL = {*(why.value for why in Why), ""}
SAID_AFTER = 20  # seconds after which one that has lost the broker says so


def hear(world: World, *blind: str, name: str = "other", ended: bool = False) -> None:
    assert world.peers.take(spoken_key(name), spoken_headers(blind, ended=ended))


def run(world: World, seconds: int, *blind: str) -> None:
    """Let time pass while another worker says each few seconds of what the watch is blind."""
    for second in range(seconds):
        if second % EVERY == 0:
            hear(world, *blind)
        world.wait(1)


def resolved(world: World) -> set[str]:
    said = world.pagerduty.take()
    assert {what for what, _ in said} <= {"seeing"}
    return {why for _, why in said}


def test_a_worker_that_starts_well_resolves_all_but_what_another_one_says() -> None:
    world = World()
    run(world, 300, "clock")
    assert resolved(world) == ALL - {"clock"}
    hear(world)
    world.wait(1)
    assert resolved(world) == {"clock"}


def test_nothing_is_resolved_before_the_words_of_the_others_have_been_read() -> None:
    world = World()
    world.complete = False
    hear(world, "clock")
    world.wait(30)
    assert resolved(world) == set()
    world.complete = True
    run(world, 30, "clock")
    assert resolved(world) == ALL - {"clock"}


def test_who_was_silent_before_a_start_may_be_blind_of_a_cause_that_nobody_hears() -> None:
    world = World()
    world.complete = False
    hear(world)  # some minutes ago
    world.complete = True
    world.wait(round(FORGOTTEN_AFTER) - 10)
    causes = {why.value for why in CAUSES}
    assert resolved(world) == ALL - causes
    world.wait(20)
    assert resolved(world) == causes


def test_who_lives_is_heard_again_within_seconds_of_a_start() -> None:
    world = World()
    world.complete = False
    hear(world)
    world.complete = True
    run(world, 5)
    assert resolved(world) == ALL


def test_what_a_worker_that_ended_has_said_is_resolved_by_another() -> None:
    world = World()
    run(world, 60, "partition")
    assert resolved(world) == ALL - {"partition"}
    hear(world, "partition", ended=True)
    world.wait(1)
    assert resolved(world) == {"partition"}
    world.wait(300)
    assert resolved(world) == set()


def test_what_a_worker_that_was_killed_has_said_is_resolved_once_it_is_forgotten() -> None:
    world = World()
    hear(world, "partition")
    world.wait(5)
    world.pagerduty.take()
    world.wait(round(FORGOTTEN_AFTER) - 10)
    assert resolved(world) == set()
    world.wait(10)
    assert resolved(world) == {"partition", *(why.value for why in CAUSES)}


def test_of_two_that_say_the_same_the_last_one_resolves_it() -> None:
    world = World()
    world.settle()
    world.progress.stuck(Why.CLOCK, "The clock is 90 s ahead")
    run(world, 100, "clock")
    world.pagerduty.take()
    world.progress.going(Why.CLOCK)
    run(world, 60, "clock")
    assert world.pagerduty.take() == []
    assert ("seeing", "clock") in world.slack.take()  # of this worker
    hear(world)
    world.wait(1)
    assert resolved(world) == {"clock"}


def test_a_process_does_not_heed_its_own_words() -> None:
    world = World()
    world.complete = False
    hear(world, "clock", name="this one")  # before it was killed
    world.complete = True
    world.wait(5)
    assert resolved(world) == ALL


@given(
    st.text(min_size=1, max_size=30),
    st.sets(st.sampled_from([why.value for why in Why])),
    st.booleans(),
)
def test_the_words_of_a_process_stand_in_the_headers_of_a_record(
    name: str, blind: set[str], ended: bool
) -> None:
    headers = [*spoken_headers(blind, ended=ended), ("of a later build", b"x")]
    assert spoken_in(spoken_key(name), headers) == Spoken(name, frozenset(blind), ended)


@pytest.mark.parametrize("key", [None, b"prod", b"processes"])
def test_the_record_of_an_environment_is_no_word_of_a_process(key: bytes | None) -> None:
    assert spoken_in(key, [("evaluated_to", b"1"), ("blind", b"clock")]) is None


# -- any number of processes that become blind, see, die, end and lose the broker ------------------------------------


class Alerts:
    """PagerDuty: the kinds of which an alert is open, whoever opened it."""

    name = "pagerduty"
    keeps = True

    def __init__(self) -> None:
        self.open: set[str] = set()

    def blind(self, said: Statement) -> str | None:
        self.open.add(said.why.value)
        return None

    def seeing(self, why: str, at: int) -> str | None:
        self.open.discard(why)
        return None


class Process:
    """One process: what it is blind of, and what it hears of the others."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name = name
        self.blind: set[Why] = set()
        self.cut_off = False
        self.cut_off_at = 0.0
        self.said_at = float("-inf")
        self.said: set[Why] = set()
        self.read = False
        self.peers = Peers(name, fleet.monotonic, lambda: self.read)
        self.announcer = Announcer((fleet.alerts,), fleet.monotonic, lambda: 1.0, others=self.peers)
        self._topic, self._position = fleet.topic, 0
        self.read_on()
        self.read = True

    def read_on(self) -> None:
        """Read what has come onto the topic since it was read last."""
        while self._position < len(self._topic):
            self.peers.take(*self._topic[self._position])
            self._position += 1


class Fleet:
    """Processes of three names, and the topic on which they speak."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.alerts = Alerts()
        self.topic: list[tuple[bytes, list[tuple[str, bytes]]]] = []
        self.running: dict[str, Process] = {}

    def monotonic(self) -> float:
        return self.seconds

    def speak(self, process: Process, *, ended: bool = False) -> None:
        if process.cut_off:
            return
        word = spoken_key(process.name), spoken_headers([why.value for why in process.blind], ended=ended)
        self.topic.append(word)
        process.said, process.said_at = set(process.blind), self.seconds
        for other in self.running.values():
            if not other.cut_off:
                other.read_on()

    def do(self, name: str, what: str, why: Why) -> None:
        process = self.running.get(name)
        if what == "start" and process is None:
            self.running[name] = Process(name, self)
            self.speak(self.running[name])
        elif process is None:
            return
        elif what == "blind" and not process.cut_off:
            process.blind.add(why)
        elif what == "see" and not process.cut_off:
            process.blind.discard(why)
        elif what == "lose the broker" and not any(one.cut_off for one in self.running.values()):
            # Of two that are cut off, the one that is back does not hear the other.
            process.cut_off, process.cut_off_at = True, self.seconds
        elif what == "reach the broker":
            process.cut_off = False
            process.blind.discard(Why.BROKER)
            process.said_at = float("-inf")
            process.read_on()
        elif what == "die":
            del self.running[name]
        elif what == "end":
            self.speak(process, ended=True)
            del self.running[name]

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.seconds += 1.0
            for process in self.running.values():
                if process.cut_off and self.seconds - process.cut_off_at >= SAID_AFTER:
                    process.blind.add(Why.BROKER)
                if process.blind != process.said or self.seconds - process.said_at >= EVERY:
                    self.speak(process)
            for process in self.running.values():
                said = {why: Statement(why, 0.0, 0, "It stands.", "Mend it.") for why in process.blind}
                process.announcer.announce(said, well=not process.blind)
            self.check()

    def check(self) -> None:
        """Check that each kind that a process says has an open alert."""
        said: Collection[str] = {why.value for process in self.running.values() for why in process.blind}
        assert set(said) <= self.alerts.open


#: What happens to a process: it is of a kind of blindness, or not any more; it starts, ends, dies, loses the broker.
HAPPENS = ("blind", "blind", "see", "start", "start", "end", "die", "lose the broker", "reach the broker")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(HAPPENS),
            st.sampled_from((Why.CLOCK, Why.WRITE)),
            st.integers(1, 60),
        ),
        min_size=10,
        max_size=40,
    )
)
def test_no_alert_is_resolved_that_a_living_process_says_and_in_the_end_none_is_open(
    steps: list[tuple[str, str, Why, int]],
) -> None:
    fleet = Fleet()
    fleet.do("a", "start", Why.LAG)
    for name, what, why, seconds in steps:
        fleet.do(name, what, why)
        if sum(process.cut_off for process in fleet.running.values()):
            seconds = min(seconds, round(FORGOTTEN_AFTER) // 45)  # who is cut off for long is taken for dead
        fleet.pass_time(seconds)
    fleet.do("a", "start", Why.LAG)
    for process in fleet.running.values():
        process.cut_off, process.said_at = False, float("-inf")
        process.blind.clear()
        process.read_on()
    fleet.pass_time(round(FORGOTTEN_AFTER) + 60)
    assert fleet.alerts.open == set()
