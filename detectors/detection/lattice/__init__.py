"""Which groups of an environment hold which, and which of them explain failures."""
