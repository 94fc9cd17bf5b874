"""What an input partition may wait for."""
