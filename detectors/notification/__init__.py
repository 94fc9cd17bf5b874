"""Who is told of a change of an incident, by which command, and whom it wakes."""
