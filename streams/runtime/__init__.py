"""What every process needs: clocks, logs, health, its lease, and a way to end."""
