"""Settings, which are environment variables, and the credentials, certificates and files that they name."""
