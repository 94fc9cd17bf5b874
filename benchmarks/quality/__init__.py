"""How well outages are found: scenarios with known truth, judged by the whole pipeline (``make quality``).

``cases`` says what is played, ``drawn`` makes up situations that nobody has looked at, ``runs`` plays and scores
them, ``report`` and ``plots`` write down what came out.

Seeds are of two sorts. Detectors are tuned on ``TUNING_SEEDS``; figures that are told to anybody come from
``REPORTED_SEEDS``, and whoever changes a detector does not look at single cases of those.
"""
