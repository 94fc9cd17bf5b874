"""Who may read and write over HTTP, and whose request is next."""
