"""E-mail to lists, by a relay."""
