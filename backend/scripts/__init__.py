"""Scripts that are typed by their path."""
