"""How well could the causes of real anomalies be named? A search for the few combinations that explain, measured.

What ships names causes by ``detectors/detection/attribution.py``; this search is what a likelihood over any number of
attributes reaches on public data.
"""
