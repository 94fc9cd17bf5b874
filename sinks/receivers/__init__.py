"""The receivers, a package each, and what they have in common."""
