"""Measures this project beside what it is compared with: `python -m benchmarks`. Nothing of the product imports it."""
