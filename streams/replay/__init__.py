"""Verdicts from files or topics, as a worker would give them, without a worker."""
