"""Lint of policies: rules that find values which are valid and do not do what their author wants."""
