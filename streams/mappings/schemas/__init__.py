"""Schemas: what the records of a Confluent-compatible schema registry are read by."""
