"""The chart of an outage as a picture, for receivers that show no other."""
