"""Slack: a message and a thread for each incident, with buttons."""
