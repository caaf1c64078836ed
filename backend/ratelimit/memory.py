"""Buckets in the memory of one process."""

import time
from collections.abc import Callable, Sequence

from feature_platform.core import gcra
from feature_platform.core.gcra import RateLimit, Verdict

from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, checked, decide, key_prefix


def monotonic_microseconds() -> int:
    """The clock of this process, which nobody sets."""
    return time.monotonic_ns() // 1_000


class MemoryRateStore:
    """Exact for one process. Holds at most `max_buckets`, so that made-up addresses cannot fill the memory.

    At that number, buckets that are full again are forgotten, which changes nothing; and at least an eighth of all,
    those nearest to full: their subjects gain what was missing, which is the least there is to give away.
    """

    def __init__(self, clock: Callable[[], int] = monotonic_microseconds, max_buckets: int = 200_000) -> None:
        self._clock = clock
        self._max = max_buckets
        self._tats: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._tats)

    def take_now(self, key: str, limit: RateLimit) -> Verdict:
        """One unit, as `take`; this store never waits."""
        tat = self._tats.get(key)
        verdict = gcra.check(tat, self._clock(), limit)
        if verdict.allowed or (tat is not None and tat > verdict.tat):
            self._keep(key, verdict.tat)
        return verdict

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        verdicts = await self.take_all((Take(bucket, limit, cost),))
        return verdicts[0]

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        keys = [take.bucket.key for take in checked(takes)]
        verdicts, states = decide(takes, [self._tats.get(key) for key in keys], self._clock())
        for key, tat in zip(keys, states, strict=True):
            if tat is not None:
                self._keep(key, tat)
        return verdicts

    async def clear(self, subject: Subject) -> int:
        prefix = key_prefix(subject)
        found = [key for key in self._tats if key.startswith(prefix)]
        for key in found:
            del self._tats[key]
        return len(found)

    async def close(self) -> None:
        """It holds nothing but memory."""

    def _keep(self, key: str, tat: int) -> None:
        if len(self._tats) >= self._max and key not in self._tats:
            self._make_room()
        self._tats[key] = tat

    def _make_room(self) -> None:
        now = self._clock()
        enough = max(1, self._max // 8)
        ordered = sorted(self._tats, key=self._tats.__getitem__)
        for position, key in enumerate(ordered):
            if position >= enough and self._tats[key] > now:
                break
            del self._tats[key]
