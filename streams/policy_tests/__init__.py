"""`watchofficer test`: unit tests of a policy. Input series in short notation, and what must come of them.

``notation`` reads a series, ``events`` makes login events and history of it, ``patterns`` say what is
expected and when, ``document`` is a file of tests,
``run`` plays one through the real engine and keeps what happened, ``expectations`` hold that against
what was expected, ``report`` and ``junit`` say how it went. ``deploy/policy/README.md`` describes the files.
"""
