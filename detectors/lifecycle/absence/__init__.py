"""Scopes in which nothing is expected to arrive any more."""
