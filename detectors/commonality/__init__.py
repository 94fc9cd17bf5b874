"""What most of the people who fail have in common, and others have not."""
