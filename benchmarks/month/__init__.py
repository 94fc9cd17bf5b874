"""How much sooner is a month judged by two processes, and from its facts? ``python -m benchmarks.month``."""
