"""Work that is done again every few seconds: cheap to ask for, and safe to do in several workers at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from backend.db.session import is_unavailable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """`step` does what there is to do and returns how much it was; every `seconds` it is asked again."""

    name: str
    seconds: float
    step: Callable[[], Awaitable[int]]


async def go_round(rounds: Sequence[Round]) -> None:
    """Runs all of them until it is cancelled; what is under way is then undone with its transaction."""
    async with asyncio.TaskGroup() as group:
        for one in rounds:
            group.create_task(_repeat(one), name=one.name)


async def _repeat(one: Round) -> None:
    """No error ends it: what failed is there again next time."""
    while True:
        try:
            done = await one.step()
        except Exception as error:
            done = 0
            if is_unavailable(error):
                _log.warning("the database does not answer", round=one.name)
            else:
                _log.exception("round failed", round=one.name)
        if not done:
            await asyncio.sleep(one.seconds)
