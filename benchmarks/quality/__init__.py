"""How well are outages found? The whole pipeline judges scenarios with known truth (``make quality``).

``cases`` defines the cases, ``drawn`` draws situations that no developer has seen, ``runs`` runs and scores
them, ``report`` and ``plots`` write the results.

There are two kinds of seeds. Detectors are tuned on ``TUNING_SEEDS``; published figures come from
``REPORTED_SEEDS``, whose single cases must not be examined by anybody who changes a detector.
"""
