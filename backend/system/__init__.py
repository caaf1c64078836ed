"""The server about itself: whether it is well, what it counts, what its errors mean."""
