"""Benchmarks of what is done to the records of inputs."""
