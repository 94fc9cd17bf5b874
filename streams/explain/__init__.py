"""`watchofficer explain`: one incident, from the numbers to the verdict, in words.

``story`` is what is known of an incident, ``replayed`` and ``recorded`` know it from events and from the incident log,
``evidence`` puts numbers into words, ``chapters`` tells the story, ``plot`` draws it.
"""
