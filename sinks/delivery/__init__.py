"""How a command gets to its receiver: in order, at a bounded rate, retried, recorded, or a dead letter."""
