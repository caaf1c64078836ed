"""What happens to rate limits when the shared store fails: every process lets its share pass, and says so."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from feature_platform.core.gcra import MICROSECONDS, RateLimit, Verdict

from backend.ratelimit.memory import MemoryRateStore, monotonic_microseconds
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take
from backend.ratelimit.store import RateStore, RateStoreUnavailable

log = structlog.get_logger(__name__)


class FallbackRateStore:
    """Asks the shared store; without an answer in `patience` seconds, decides by this process's share of the limit.

    Never unlimited: all `processes` together pass at most the limit, in whole requests at least one of burst each.
    After a failure the shared store is left alone for `pause` seconds, so that requests do not queue behind it.
    """

    def __init__(
        self,
        shared: RateStore,
        processes: int,
        *,
        clock: Callable[[], int] = monotonic_microseconds,
        patience: float = 0.5,
        pause: float = 1.0,
    ) -> None:
        if processes < 1:
            raise ValueError("a process is one of at least one")
        self._shared = shared
        self._local = MemoryRateStore(clock)
        self._processes = processes
        self._clock = clock
        self._patience = patience
        self._pause = int(pause * MICROSECONDS)
        self._ask_again_at: int | None = None

    @property
    def is_degraded(self) -> bool:
        """Whether the last answer of the shared store was none."""
        return self._ask_again_at is not None

    def take_now(self, key: str, limit: RateLimit) -> Verdict | None:
        """What the shared store can say without waiting."""
        return self._shared.take_now(key, limit)

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        verdicts = await self.take_all((Take(bucket, limit, cost),))
        return verdicts[0]

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        if self._ask_again_at is None or self._clock() >= self._ask_again_at:
            try:
                async with asyncio.timeout(self._patience):
                    verdicts = await self._shared.take_all(takes)
            except (RateStoreUnavailable, TimeoutError) as error:
                self._failed(error)
            else:
                self._ask_again_at = None
                return verdicts
        shares = [replace(take, limit=take.limit.share(self._processes)) for take in takes]
        return tuple(replace(verdict, degraded=True) for verdict in await self._local.take_all(shares))

    async def clear(self, subject: Subject) -> int:
        """Clears here and in the shared store; its failure is the caller's to know. Raises RateStoreUnavailable."""
        here = await self._local.clear(subject)
        return here + await self._shared.clear(subject)

    async def close(self) -> None:
        await self._shared.close()

    def _failed(self, error: Exception) -> None:
        if self._ask_again_at is None:
            log.warning("the shared rate store does not answer; each process keeps to its share", reason=repr(error))
        self._ask_again_at = self._clock() + self._pause
