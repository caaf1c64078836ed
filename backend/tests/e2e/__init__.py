"""A server started as a user starts it, used as a user uses it."""
