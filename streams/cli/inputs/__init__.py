"""The commands that tell a watch something, or show what it reads."""
