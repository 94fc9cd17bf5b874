"""Which scenarios are there, in each world?"""
