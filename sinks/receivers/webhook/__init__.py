"""Signed webhooks, and ServiceNow's Event Management by one of them."""
