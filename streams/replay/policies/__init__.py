"""Which policy judges which T of a replay."""
