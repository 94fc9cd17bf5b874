"""`watchofficer doctor`: the checks of a deployment."""
