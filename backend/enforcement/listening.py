"""How somebody begins to look on: what they have missed, and for how long they may."""

from datetime import datetime, timedelta
from uuid import UUID

from backend.auth.principal import Principal
from backend.auth.service.credentials import Credentials, Presented
from backend.core.clock import Clock
from backend.core.errors import PlatformError
from backend.core.ids import AccountId
from backend.db.session import UNAVAILABLE, Database
from backend.enforcement.acting import USAGE_READ, acting_account
from backend.enforcement.live import Live
from backend.enforcement.streams import AccountStream, frames_of, gap
from backend.usage.live import moment_of, read_recent

# Who begins sees the newest of this time; who goes on where they were gets all of it, within bounds.
WINDOW = timedelta(minutes=15)
NEWEST, MOST_MISSED = 50, 500
_CLOCKS_DIFFER = timedelta(minutes=1)
_LENGTH_OF_ID = 36
_VERSIONS = (7, 8)


class Listening:
    """One who looks on, as they came. `account` is the one that their credential acts for by a header field."""

    def __init__(
        self,
        live: Live,
        database: Database,
        credentials: Credentials,
        clock: Clock,
        *,
        principal: Principal,
        account_id: AccountId,
        authorization: str | None,
        account: str | None,
    ) -> None:
        self._live = live
        self._database = database
        self._credentials = credentials
        self._clock = clock
        self._principal = principal
        self._authorization = authorization
        self._account = account
        own = {principal.account_id} if principal.account_id is not None else set()
        key_id = principal.key_id if principal.kind == "service_key" else None
        self.stream = AccountStream(
            account_id, {account_id, *own}, key_id=key_id, operator_id=principal.impersonator_id
        )

    async def begin(self, last_event_id: str | None) -> bytes:
        """What is sent first. From here on the stream is told what is new. Raises TooManyStreams, Unavailable."""
        await self._live.join(self.stream)
        try:
            return await self._missed(last_event_id, self._clock.now())
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        self._live.leave(self.stream)

    def seconds(self, most: float) -> float:
        """How long it may go on: at most so long, and no longer than the credential is good."""
        good_until = self._principal.good_until
        return most if good_until is None else min(most, (good_until - self._clock.now()).total_seconds())

    async def is_in_force(self) -> bool:
        """Whether the same credential would still be let in, for the same account."""
        now = self._clock.now()
        try:
            presented = await self._credentials.present(self._authorization, now=now)
            if not isinstance(presented, Presented):
                return False
            async with self._database.read() as session:
                found = await self._credentials.resolve(session, presented, account=self._account, now=now)
            if not isinstance(found, Principal):
                return False
            named = str(self.stream.account_id)
            acting = await acting_account(self._database, found, named=named, scope=USAGE_READ, now=now)
        except PlatformError:
            return False
        except UNAVAILABLE:  # who cannot be looked at is asked to come again
            return False
        return acting == self.stream.account_id

    async def _missed(self, last_event_id: str | None, now: datetime) -> bytes:
        at = position(last_event_id, now)
        reason = None if at is not None or not last_event_id else "unknown_position"
        if at is not None and at < now - WINDOW:
            at, reason = None, "too_old"
        async with self._database.read(self.stream.account_id) as session:
            account_id = self.stream.account_id
            if at is not None:
                found = await read_recent(session, account_id=account_id, since=at, most=MOST_MISSED)
                if found.is_cut:
                    at, reason = None, "too_much"
            if at is None:
                found = await read_recent(session, account_id=account_id, since=now - WINDOW, most=NEWEST)
        frames = list(frames_of(found))
        self.stream.known = {name for name, _ in frames}
        return (gap(reason) if reason else b"") + b"".join(frame for _, frame in frames)


def position(last_event_id: str | None, now: datetime) -> datetime | None:
    """When the event was made that somebody has seen last; only its time is used, whoever's it is. None: no event."""
    try:
        found = UUID((last_event_id or "")[:_LENGTH_OF_ID])
    except ValueError:
        return None
    if found.version not in _VERSIONS:
        return None
    try:
        at = moment_of(found)
    except OverflowError:
        return None
    return at if at <= now + _CLOCKS_DIFFER else None
