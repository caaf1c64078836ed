"""Enforcement: plan, counter and rate limit meet here, and the answer says which of them decided."""
