"""Sign-in over HTTP, and the dependencies that every route shares."""
