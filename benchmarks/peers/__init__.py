"""Runs in an environment of its own (`requirements.txt`); imports nothing of the product."""
