"""The public status page and its feed."""
