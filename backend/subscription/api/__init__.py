"""Plans, subscription and usage over HTTP."""
