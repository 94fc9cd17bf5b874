"""What helps people to find a command: examples, completion, progress, and the reference pages."""
