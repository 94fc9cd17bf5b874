"""Notices: what is new in an environment and wakes nobody, such as a value that the policy does not list."""
