"""The description of the HTTP interface for programs (OpenAPI), made from the routes."""
