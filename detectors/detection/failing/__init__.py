"""Which failures are an outage whatever their codes say?"""
