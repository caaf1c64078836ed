"""Real processes under load: races, kills, and what must be true afterwards."""
