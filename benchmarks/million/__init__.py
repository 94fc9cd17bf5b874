"""Measures what a million events a second of one environment would cost ingest and evaluation."""
