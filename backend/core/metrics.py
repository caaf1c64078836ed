"""What a process counts of itself, for /metrics. Labels are routes and codes, never ids."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from prometheus_client import REGISTRY, Counter
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

# Upper bounds, in seconds.
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Answers:
    """Answers of one kind: how many, and how long the timed ones took."""

    __slots__ = ("number", "seconds", "slots")

    def __init__(self) -> None:
        self.number = 0
        self.seconds = 0.0
        self.slots = [0] * (len(_BOUNDS) + 1)

    def timed(self, seconds: float) -> None:
        """One more, which took so long."""
        self.number += 1
        self.seconds += seconds
        self.slots[bisect_left(_BOUNDS, seconds)] += 1


class Requests(Collector):
    """Counts answers on the loop of a process: a lock for each, as counters of threads take it, is not needed."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, int | None], Answers] = defaultdict(Answers)

    def of(self, method: str, route: str, status: int | None) -> Answers:
        """The answers of a kind."""
        return self._kinds[method, route, status]

    def collect(self) -> Iterator[Metric]:
        """As Prometheus reads it."""
        counted = CounterMetricFamily("feature_requests", "Answered requests.", labels=["method", "route", "status"])
        timed = HistogramMetricFamily(
            "feature_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            labels=["route"],
        )
        routes: dict[str, list[Answers]] = defaultdict(list)
        for (method, route, status), answers in list(self._kinds.items()):
            counted.add_metric([method, route, str(status)], answers.number)
            routes[route].append(answers)
        for route, kinds in routes.items():
            slots = [sum(each) for each in zip(*(answers.slots for answers in kinds), strict=True)]
            if any(slots):
                timed.add_metric([route], _cumulated(slots), sum(answers.seconds for answers in kinds))
        yield counted
        yield timed


def _cumulated(slots: Sequence[int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, number in zip([*map(str, _BOUNDS), "+Inf"], slots, strict=True):
        total += number
        buckets.append((bound, float(total)))
    return buckets


REQUESTS = Requests()
REGISTRY.register(REQUESTS)
DECISIONS = Counter("feature_decisions", "Decisions about spending.", ["code", "meter"])
ROUNDS = Counter("feature_settlement_rounds", "Rounds in which spends from memory are settled.", ["outcome"])
FORFEITED = Counter("feature_journals_expired", "Processes whose lease ran out, so that what they held is forfeited.")
TAKEN_OVER = Counter("feature_journals_taken_over", "Journals of dead processes that this one has settled.")
DENIALS_LOST = Counter("feature_denials_lost", "Kinds of refusals that were dropped before they were written down.")
