"""Statuspage: incidents and components on a public page."""
