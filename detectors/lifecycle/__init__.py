"""The life of incidents: how they open, change, recover, resolve and close, and how severe they are meanwhile."""
