"""Which worlds can be simulated? ``WORLDS`` by name."""

from streams.simulate.worlds.past import PAST
from streams.simulate.worlds.today import TODAY
from streams.simulate.worlds.world import World

__all__ = ["WORLDS"]

WORLDS: dict[str, World] = {world.name: world for world in (TODAY, PAST)}
