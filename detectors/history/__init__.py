"""What happened in past weeks, by five minutes: what is usual, and how much of a month's error budget is spent."""
