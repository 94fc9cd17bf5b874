"""Commands that report on past incidents."""
