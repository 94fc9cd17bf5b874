"""How does each of the compared systems do one job? A script for each runs in a process of its own.

A script is called with the broker's address, the topic and the number of events on it. It prints one JSON object:
``seconds`` from the first event to the answer, and ``windows``, the answer: [minute (ms), auth method, events, distinct
people who failed].
"""
