"""How an incident is conducted: stages, roles, updates, follow-ups, and what must be seen before it is over."""
