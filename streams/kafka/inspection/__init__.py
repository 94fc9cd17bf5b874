"""What a cluster says of itself: its release, topics, quotas and time."""
