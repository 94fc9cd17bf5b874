"""How are sign-in traffic, the outages in it, and the truth about them simulated?

``worlds`` defines which methods, providers and clients there are; ``demand`` how many people want to sign in at an
instant; ``traffic`` who they are; ``journeys`` which requests they make; ``episodes`` what goes wrong; ``emission``
which events arrive on the topic, in which order; ``truth`` what a watch should have noticed; ``history`` the records of
the weeks before; ``library`` the named situations of each world; ``scenarios`` all of them.
"""

from streams.simulate.episodes import Episode
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation, simulate

__all__ = ["SCENARIOS", "Episode", "Scenario", "Simulation", "simulate"]
