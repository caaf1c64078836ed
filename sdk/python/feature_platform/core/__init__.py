"""The pure core: what a decision is, and the arithmetic of rate limits. No I/O, no clock, no dependency."""
