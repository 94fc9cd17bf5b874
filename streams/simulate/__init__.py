"""A simulator of sign-in traffic, of outages in it, and of the truth about them.

``demand`` says how many people want to sign in when; ``traffic`` who they are; ``journeys`` what they go
through; ``episodes`` what goes wrong; ``emission`` what of it arrives on the topic, and how; ``truth`` what a
watch should have noticed; ``history`` what it would have known before; ``scenarios`` names the situations.
"""

from streams.simulate.episodes import Episode
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation, simulate

__all__ = ["SCENARIOS", "Episode", "Scenario", "Simulation", "simulate"]
