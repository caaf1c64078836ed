"""What operators note about a user, for each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select

from backend.admin import users
from backend.admin.errors import NoteUnknown, TargetProtected
from backend.admin.operator import Operator
from backend.auth.service.operators import SUPERADMIN
from backend.core.ids import UserId, uuid7
from backend.db.audit import Target, record
from backend.db.models import User, UserNote
from backend.db.session import ReadSession, SystemSession

LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Noted:
    """A note with the address of who wrote it."""

    id: UUID
    text: str
    created_by: UserId
    author: str
    created_at: datetime


async def notes_of(session: ReadSession, user_id: UUID, *, limit: int, offset: int = 0) -> tuple[Sequence[Noted], int]:
    """(notes about a user, the newest first; how many there are)."""
    total = await session.scalar(select(func.count()).where(UserNote.user_id == user_id)) or 0
    found = await session.execute(
        select(UserNote.id, UserNote.text, UserNote.created_by, User.email, UserNote.created_at)
        .join(User, User.id == UserNote.created_by)
        .where(UserNote.user_id == user_id)
        .order_by(UserNote.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [Noted(*row) for row in found], total


@dataclass(frozen=True, slots=True)
class Noting:
    """What one operator notes in one transaction."""

    session: SystemSession
    operator: Operator
    now: datetime

    async def add(self, user_id: UUID, text: str) -> Noted:
        """A new note. Raises UserUnknown."""
        user = await users.lock(self.session, user_id)
        author = await self.session.get_one(User, self.operator.user_id)
        note = UserNote(id=uuid7(), user_id=user.id, text=text, created_by=author.id, created_at=self.now)
        self.session.add(note)
        self._record("user.notes.create", user.id, after={"note_id": str(note.id), "text": text})
        return Noted(note.id, note.text, note.created_by, author.email, note.created_at)

    async def remove(self, user_id: UUID, note_id: UUID) -> None:
        """Takes one's own note away, or as a superadmin anybody's. Raises NoteUnknown, TargetProtected."""
        note = await self.session.get(UserNote, note_id)
        if note is None or note.user_id != user_id:
            raise _unknown()
        if note.created_by != self.operator.user_id and SUPERADMIN not in self.operator.roles:
            raise TargetProtected("This note is another operator's: they or a superadmin can take it away.")
        gone = delete(UserNote).where(UserNote.id == note_id).returning(UserNote.id)
        if await self.session.scalar(gone) is None:  # somebody else has just done so
            raise _unknown()
        self._record("user.notes.delete", note.user_id, before={"note_id": str(note.id), "text": note.text})

    def _record(self, action: str, user_id: UserId, **details: Any) -> None:
        record(self.session, self.operator.actor, action, Target("user", user_id), now=self.now, **details)


def _unknown() -> NoteUnknown:
    return NoteUnknown("No note about this user has this id.")
