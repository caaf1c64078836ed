"""Identity: who signs in, with what, and who is calling."""
