"""Answers that take as long whatever was found."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

LEAST_SECONDS = 0.08


@contextlib.asynccontextmanager
async def even_time(seconds: float = LEAST_SECONDS) -> AsyncIterator[None]:
    """Lasts `seconds` at least. What happens inside takes a fraction of that, more for an address that is known."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    try:
        yield
    finally:
        await asyncio.sleep(max(0.0, ends_at - loop.time()))
