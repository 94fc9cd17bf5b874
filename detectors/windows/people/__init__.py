"""Who failed when: people by the hour, counted once, in little memory."""
