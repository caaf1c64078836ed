"""What sign-in does."""
