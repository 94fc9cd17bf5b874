"""The account of a month's availability, as the SLA counts it."""
