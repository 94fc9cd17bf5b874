"""What monitors see that sign in by themselves."""
