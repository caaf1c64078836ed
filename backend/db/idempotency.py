"""`Idempotency-Key`: one effect for a repeated request, in the transaction of the effect itself.

Scope: account, method, route and key, for 24 hours. Only answers that a repetition must see again are kept; a
refusal leaves nothing, so that the same key may be used once its cause is gone.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import text

from backend.core.errors import PlatformError
from backend.core.ids import AccountId
from backend.db.session import WriteSession


class IdempotencyKeyReused(PlatformError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key was used for another request"


class RequestInProgress(PlatformError):
    """The first request with this key is still running."""

    code = "request_in_progress"
    status = 409
    title = "The first request with this key is still running"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Which request it is. `body` is what must be the same in a repetition."""

    account_id: AccountId
    method: str
    route: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request was answered."""

    status: int
    body: bytes


_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:number)")
_FIND = text("""
    SELECT body_hash, status, answer FROM idempotency_keys
    WHERE account_id = :account_id AND method = :method AND route = :route AND key = :key
        AND created_at > clock_timestamp() - interval '24 hours'
""")
_KEEP = text("""
    INSERT INTO idempotency_keys (account_id, method, route, key, body_hash, status, answer, created_at)
    VALUES (:account_id, :method, :route, :key, :body_hash, :status, :answer, clock_timestamp())
    ON CONFLICT (account_id, method, route, key) DO UPDATE SET body_hash = excluded.body_hash,
        status = excluded.status, answer = excluded.answer, created_at = excluded.created_at
""")


async def claim(session: WriteSession, request: RequestKey) -> StoredAnswer | None:
    """Makes this the only running request with its key until the transaction ends; returns the first answer, if any.

    Raises RequestInProgress, IdempotencyKeyReused.
    """
    digest = hashlib.sha256(b"\0".join([request.account_id.bytes, *_names(request)])).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    if not await session.scalar(_TRY_LOCK, {"number": number}):
        raise RequestInProgress("Repeat the request in a second.", headers={"Retry-After": "1"})
    row = (await session.execute(_FIND, _key(request))).one_or_none()
    if row is None:
        return None
    if bytes(row.body_hash) != hashlib.sha256(request.body).digest():
        raise IdempotencyKeyReused("The first request with this key had another body; use a new key.")
    return StoredAnswer(row.status, bytes(row.answer))


async def keep(session: WriteSession, request: RequestKey, answer: StoredAnswer) -> None:
    """Stores the answer in the transaction of what it answers."""
    body_hash = hashlib.sha256(request.body).digest()
    await session.execute(
        _KEEP, {**_key(request), "body_hash": body_hash, "status": answer.status, "answer": answer.body}
    )


def _names(request: RequestKey) -> list[bytes]:
    return [request.method.encode(), request.route.encode(), request.key.encode()]


def _key(request: RequestKey) -> dict[str, object]:
    return {
        "account_id": request.account_id,
        "method": request.method,
        "route": request.route,
        "key": request.key,
    }
