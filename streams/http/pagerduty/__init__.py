"""What do webhooks of PagerDuty say, and of which incidents?"""
