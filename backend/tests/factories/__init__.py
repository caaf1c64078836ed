"""Rows for tests, one module a domain."""
