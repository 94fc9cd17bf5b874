"""The reports of a month as pages."""
