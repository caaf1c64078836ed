"""What an operator may do who acts as a user: look at everything that the user sees, and write little or nothing.

What may be written is listed, so that a route that is new is closed. Payment, sign-in, keys and the back office are not
among it; nor is anything where the operator was not given more than looking. What is written stands in the audit log
first, under both names: what cannot be written down is not done.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from feature_platform.core.gcra import RateLimit

from backend.auth.principal import Principal
from backend.db.audit import Actor, Target, record
from backend.db.session import Database
from backend.enforcement.errors import ImpersonationLocked, ImpersonationReadOnly
from backend.ratelimit.model import Bucket, Subject, Take

SCOPE = "impersonation"
LEAVE = ("POST", "/v1/auth/logout")
_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITABLE = "/v1/usage/"


class Impersonations:
    """Lets requests in, one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def let_in(
        self,
        principal: Principal,
        *,
        method: str,
        path: str,
        route: str,
        spends: bool,
        address: str,
        request_id: str,
        now: datetime,
    ) -> None:
        """Raises ImpersonationLocked, ImpersonationReadOnly. Nothing is asked of who acts as themselves.

        `route` is the path as the log has it, whatever was written in the place of its names.
        """
        if principal.impersonator_id is None or (method in _LOOKS and not spends):
            return
        actor = Actor("user", principal.user_id, principal.impersonator_id, address, request_id)
        if (method, path) == LEAVE:
            await self._record(actor, "user.impersonate.end", Target("user", str(principal.user_id)), now)
            return
        if not spends and not path.startswith(_WRITABLE):
            raise ImpersonationLocked("Nobody does this for somebody else; ask them to do it themselves.")
        if not principal.may_write:
            raise ImpersonationReadOnly("You act as this user to look only; begin again with access to write.")
        target, after = Target("account", str(principal.account_id)), {"method": method, "path": route}
        await self._record(actor, "impersonation.request", target, now, after)

    async def _record(
        self, actor: Actor, action: str, target: Target, now: datetime, after: Mapping[str, str] | None = None
    ) -> None:
        async with self._database.system() as session:
            record(session, actor, action, target, now=now, after=after)


def own_takes(principal: Principal, account: Take, standard: RateLimit) -> Sequence[Take]:
    """An operator's looking costs the user's limit nothing; it is only shown. Their session has a limit of its own."""
    looked_at = Take(account.bucket, account.limit, cost=0)
    return [looked_at, Take(Bucket(SCOPE, Subject(f"session:{principal.session_id}")), standard)]
