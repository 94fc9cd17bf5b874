"""Datadog: events, and incidents with their timeline and tasks."""
