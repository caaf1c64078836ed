"""The catalog: what is sold. Meters, features, plans and their versions, limits and prices."""
