"""Alertmanager: an alert for each incident, told again for as long as it stands."""
