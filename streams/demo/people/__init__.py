"""Who answers the incident of a demo or of an exercise, and how well?"""
