"""The door for what people press and type in Slack."""
