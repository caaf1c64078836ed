"""A clock that stands until it is moved."""

from datetime import datetime, timedelta


class ManualClock:
    """Satisfies `core.clock.Clock`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, now: datetime) -> None:
        self._now = now
