"""Scores of recorded verdicts against the truth, and a comparison of what two policies make of the same events."""
