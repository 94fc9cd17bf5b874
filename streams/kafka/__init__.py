"""Kafka: its clients, topics and rights, and why it refuses something, in words."""
