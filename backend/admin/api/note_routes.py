"""/v1/admin/users/{user_id}/notes: what operators note about a user."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from backend.admin import users
from backend.admin.api.deps import Page, PageSize, may
from backend.admin.api.schemas import NoteAnswer
from backend.admin.errors import NoOperator, NoteUnknown, SecondFactorNeeded, TargetProtected
from backend.admin.notes import LONGEST, Noting, notes_of
from backend.admin.operator import Operator
from backend.auth.api.deps import CurrentDatabase, Now, SystemWrite
from backend.auth.api.schemas import Message
from backend.auth.errors import Unauthenticated, UserUnknown
from backend.core.problem import StrictRoute, problem_responses

router = APIRouter(prefix="/v1/admin/users/{user_id}/notes", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded)


class NoteBody(BaseModel):
    """What other operators should know; the user never sees it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=1, max_length=LONGEST, pattern=r"\S")]


class NotePageAnswer(BaseModel):
    """A page of notes, the newest first."""

    page: int
    page_size: int
    total: int
    items: list[NoteAnswer]


@router.get("", responses=problem_responses(*_OPERATES, UserUnknown))
async def list_notes(
    user_id: UUID,
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    page: Page = 1,
    page_size: PageSize = 20,
) -> NotePageAnswer:
    """What operators noted about this user, the newest first."""
    async with database.read() as session:
        await users.find(session, user_id)
        found, total = await notes_of(session, user_id, limit=page_size, offset=(page - 1) * page_size)
    items = [NoteAnswer.model_validate(note) for note in found]
    return NotePageAnswer(page=page, page_size=page_size, total=total, items=items)


@router.post("", status_code=201, responses=problem_responses(*_OPERATES, UserUnknown, body=True))
async def add_note(
    user_id: UUID, body: NoteBody, operator: Annotated[Operator, may("notes.write")], session: SystemWrite, now: Now
) -> NoteAnswer:
    """Notes something about a user."""
    return NoteAnswer.model_validate(await Noting(session, operator, now).add(user_id, body.text))


@router.delete("/{note_id}", responses=problem_responses(*_OPERATES, TargetProtected, NoteUnknown))
async def remove_note(
    user_id: UUID,
    note_id: UUID,
    operator: Annotated[Operator, may("notes.write")],
    session: SystemWrite,
    now: Now,
) -> Message:
    """Takes a note away. What it said stays in the audit log."""
    await Noting(session, operator, now).remove(user_id, note_id)
    return Message(message="The note is gone.")
