"""What do people, and PagerDuty for them, say of incidents, and what follows from it?"""
