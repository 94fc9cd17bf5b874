"""The order in which the lines of an input are read."""
