"""How `watchofficer replay` runs: once or twice, in one process or in two."""
