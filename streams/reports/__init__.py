"""Reports on past incidents: response times of a month, the account of the SLA, and a post-mortem.

``reading`` reads lines of the incident log; ``episodes`` makes episodes of them, and ``announced`` maintenance.
``response``, ``availability`` and ``postmortem`` each make a ``document`` of these, which ``rendering`` writes down.
"""
