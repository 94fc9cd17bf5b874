"""Facts, and the sliding windows over them: counts, durations and distinct people, for each scope at each step."""
