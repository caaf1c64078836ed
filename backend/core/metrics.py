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
ROUNDS = Counter("feature_settlement_rounds", "Rounds in which spends from memory are settled.", ["outcome"])
FORFEITED = Counter("feature_journals_expired", "Processes whose lease ran out, so that what they held is forfeited.")
TAKEN_OVER = Counter("feature_journals_taken_over", "Journals of dead processes that this one has settled.")
