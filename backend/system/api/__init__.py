"""System routes; they are not rate-limited."""
