"""The wiring of one process, worker or guard: its parts, and what must hold before they start."""
