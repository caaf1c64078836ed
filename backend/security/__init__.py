"""Passwords, tokens, signatures. Knows no table."""
