"""What a process counts of itself, for /metrics. Labels are routes and codes, never ids."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("feature_requests", "Answered requests.", ["method", "route", "status"])
SECONDS = Histogram(
    "feature_request_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
DECISIONS = Counter("feature_decisions", "Decisions about spending.", ["code", "meter"])
