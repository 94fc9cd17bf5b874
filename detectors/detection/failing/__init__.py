"""How many people fail, and which failures are an outage whatever their codes say?"""
