"""Does anything page when people move to a value that nobody listed? ``python -m benchmarks.quality.migrations``.

``migration`` draws moves, ``traffic`` makes events and history of them, ``watched`` judges them by the replay.
"""
