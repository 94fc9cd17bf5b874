"""PagerDuty: alerts by the Events API; notes, titles and priorities over REST."""
