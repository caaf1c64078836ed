"""Whose a credential is, as of this moment: a revoked one works nowhere, at once."""

from datetime import datetime

from sqlalchemy import text

from backend.auth.errors import Unauthenticated
from backend.auth.principal import Principal
from backend.db.session import ReadSession
from backend.security.errors import TokenInvalid
from backend.security.jwt_service import JwtService
from backend.security.tokens import digest, is_key

_SCHEME = "bearer "

_SESSION = text("""
    SELECT u.personal_account_id,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = u.id) AS roles
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = :session_id AND s.user_id = :user_id AND s.revoked_at IS NULL AND s.expires_at > :now
        AND u.status = 'active'
""")
_KEY = text("""
    SELECT k.id, k.kind, k.account_id, k.user_id, k.scopes
    FROM api_keys k LEFT JOIN users u ON u.id = k.user_id
    WHERE k.key_hash = :hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)
        AND (k.user_id IS NULL OR u.status = 'active')
""")


class Credentials:
    """Verifies access tokens and API keys."""

    def __init__(self, jwt: JwtService) -> None:
        self._jwt = jwt

    async def resolve(
        self, session: ReadSession, authorization: str | None, *, now: datetime
    ) -> Principal | Unauthenticated | None:
        """The caller behind an `Authorization` field; None without one, an error (not raised) for a bad one."""
        if authorization is None:
            return None
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return Unauthenticated("Send a token or an API key: `Authorization: Bearer ...`.")
        credential = authorization[len(_SCHEME) :].strip()
        if is_key(credential):
            return await self._of_key(session, credential, now)
        return await self._of_token(session, credential, now)

    async def _of_token(self, session: ReadSession, token: str, now: datetime) -> Principal | Unauthenticated:
        try:
            claims = self._jwt.verify_access(token, now=now)
        except TokenInvalid:
            return _bad()
        arguments = {"session_id": claims.session_id, "user_id": claims.user_id, "now": now}
        row = (await session.execute(_SESSION, arguments)).one_or_none()
        if row is None:
            return _bad()
        return Principal(
            kind="user",
            account_id=row.personal_account_id,
            user_id=claims.user_id,
            session_id=claims.session_id,
            roles=frozenset(row.roles),
        )

    async def _of_key(self, session: ReadSession, key: str, now: datetime) -> Principal | Unauthenticated:
        row = (await session.execute(_KEY, {"hash": digest(key), "now": now})).one_or_none()
        if row is None:
            return _bad()
        return Principal(
            kind="service_key" if row.kind == "service" else "personal_key",
            account_id=row.account_id,
            user_id=row.user_id,
            key_id=row.id,
            scopes=frozenset(row.scopes),
        )


def _bad() -> Unauthenticated:
    return Unauthenticated("This credential is unknown, expired or revoked. Sign in again, or use another key.")
