"""The console: pages of HTML, made from what is known, without script for reading."""
