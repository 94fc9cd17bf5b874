"""One job, done by each of those that are compared: a script each, run as a process of its own.

A script is called with the broker's address, the topic and the number of events on it. It prints one JSON object:
``seconds`` from the first event to the answer, and ``windows``, the answer: [minute (ms), auth method, events, distinct
people who failed].
"""
