"""Stretches of facts, which a replay judges: from events, from a file, or shared by two processes."""
