"""The scores of a replay against labelled episodes, as objects and as tables."""
