"""How many sign-ins arrive, of those that are expected?"""
