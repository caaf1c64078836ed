"""Rate limits: who is limited in what, and where the buckets are kept. Knows no plan and no user."""
