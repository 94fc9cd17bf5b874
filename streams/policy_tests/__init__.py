"""`watchofficer test`: unit tests of a policy. Input series in short notation, and what must come of them.

``notation`` reads a series, ``events`` makes login events and history from it, ``matchers`` are patterns with times,
and ``document`` reads a file of tests. ``runner`` runs a test through the real engine, ``expectations`` compares what
happened with what was expected, and ``report`` writes the outcome. ``deploy/policy/README.md`` describes the files.
"""
