"""The policy: its sections and kinds of values, and errors that say where and what to write instead."""
