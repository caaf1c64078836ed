"""Stand-ins that are handed in: clocks."""
