"""`Idempotency-Key` for what answers with a secret: a repetition sees it again, and it lies encrypted meanwhile."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from backend.auth.service.keys_service import CreatedKey
from backend.db.idempotency import IdempotencyKeyReused, RequestKey, StoredAnswer, claim, keep
from backend.db.session import SystemSession
from backend.security.encryption import Encryption
from backend.security.errors import SecretUnreadable


@dataclass(frozen=True, slots=True)
class KeyAnswers:
    """Answers that hold a key, kept for a day for the request that they were given to."""

    encryption: Encryption

    async def once(
        self,
        session: SystemSession,
        request: RequestKey | None,
        make: Callable[[], Awaitable[CreatedKey]],
    ) -> tuple[CreatedKey, bool]:
        """What `make` gives, or what it gave to the same request before; and whether it is that.

        Raises RequestInProgress, IdempotencyKeyReused, and what `make` raises, of which nothing is kept.
        """
        if request is None:
            return await make(), False
        first = await claim(session, request)
        if first is not None:
            return self._read(first, request), True
        made = await make()
        content = {"id": str(made.id), "key": made.key, "prefix": made.prefix, "scopes": made.scopes}
        sealed = self.encryption.encrypt(json.dumps(content), about=_about(request))
        await keep(session, request, StoredAnswer(200, sealed.encode()))
        return made, False

    def _read(self, first: StoredAnswer, request: RequestKey) -> CreatedKey:
        try:
            content = json.loads(self.encryption.decrypt(first.body.decode(), about=_about(request)))
        except SecretUnreadable as error:
            raise IdempotencyKeyReused(
                "The first answer to this Idempotency-Key cannot be read any more. Use a new one."
            ) from error
        return CreatedKey(UUID(content["id"]), content["key"], content["prefix"], tuple(content["scopes"]))


def _about(request: RequestKey) -> str:
    return f"answer {request.account_id} {request.method} {request.route} {request.key}"
