"""What every store of buckets can do. All of them pass the same contract tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from feature_platform.core.gcra import RateLimit, Verdict

from backend.db.session import is_unavailable
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take


class RateStoreUnavailable(Exception):
    """The store does not answer, or not in time. What it was asked may or may not have been taken."""


class RateStore(Protocol):
    """Keeps buckets. Each call is atomic against every other."""

    def take_now(self, key: str, limit: RateLimit) -> Verdict | None:
        """Takes one unit of the bucket with this key if that needs no waiting; None where it does.

        A refusal is as exact as that of `take`, and takes nothing.
        """
        ...

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        """Takes `cost` units if they are there, none otherwise; a cost of 0 only looks.

        Raises ValueError for a negative cost, RateStoreUnavailable.
        """
        ...

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        """Takes from all buckets or, when one refuses, from none; a verdict for each, in the order asked.

        Raises ValueError for a negative cost or a bucket named twice, RateStoreUnavailable.
        """
        ...

    async def clear(self, subject: Subject) -> int:
        """Fills all buckets of the subject; the answer is how many there were. Raises RateStoreUnavailable."""
        ...

    async def close(self) -> None:
        """Lets go of what it holds."""
        ...


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the connection, of time and of shutting down; a mistake in a statement stays what it is."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise RateStoreUnavailable("the database does not answer") from error
        raise
