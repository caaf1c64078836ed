"""What background work is given. Handlers have no globals: they ask the context of their job."""

from dataclasses import dataclass
from typing import Any

from procrastinate import JobContext, RetryStrategy

from backend.core.clock import Clock
from backend.core.settings import Settings
from backend.db.session import Database

_KEY = "work"

# Eight times over three hours: 3 seconds, then three times as long each time. A task without a strategy is lost when
# a worker that stops cannot wait for it.
RETRY = RetryStrategy(max_attempts=8, exponential_wait=3)


@dataclass(frozen=True, slots=True)
class Work:
    """Everything a handler may need: `clock` is read once at its beginning, and `now` handed down."""

    database: Database
    settings: Settings
    clock: Clock

    def as_context(self) -> dict[str, Any]:
        """For the worker's `additional_context`."""
        return {_KEY: self}


def work_of(context: JobContext) -> Work:
    """What the running worker was given: `@blueprint.task(pass_context=True)` hands over the context."""
    work = context.additional_context[_KEY]
    assert isinstance(work, Work)
    return work
