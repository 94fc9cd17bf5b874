"""`watchofficer explain`: one incident, from the numbers to the verdict, in words.

``case_file`` holds what is known of an incident; ``from_replay`` makes a case file from events, ``from_log`` from the
incident log. ``evidence`` puts numbers into words, ``sections`` writes the report, and ``plot`` draws the plot.
"""
