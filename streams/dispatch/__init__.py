"""From the outbox to the receivers: commands are read back and given to deliverers."""
