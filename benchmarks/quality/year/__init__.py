"""How often does a healthy year wake somebody? ``python -m benchmarks.quality.year``.

``calendar`` draws the year in stretches of days; ``played`` judges them by the replay, each with the history before it.
"""
