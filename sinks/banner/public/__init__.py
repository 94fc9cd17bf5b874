"""What everybody is told: the status page, its feed, and outages that concern some states alone."""
