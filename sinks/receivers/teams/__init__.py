"""Microsoft Teams, by a workflow that posts adaptive cards."""
