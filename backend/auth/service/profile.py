"""How the web app shows things to a user."""

from collections.abc import Mapping
from zoneinfo import available_timezones

from sqlalchemy import select

from backend.core.errors import InvalidInput
from backend.core.ids import UserId
from backend.db.models import User
from backend.db.session import SystemSession


async def change_profile(session: SystemSession, *, user_id: UserId, changes: Mapping[str, str | None]) -> User:
    """Changes some of name, display_zone, language and theme; None clears. Raises InvalidInput."""
    zone = changes.get("display_zone")
    if zone is not None:
        ensure_zone(zone, field="display_zone")
    name = changes.get("name")
    if name is not None and not name.strip():
        raise InvalidInput("name: a name has at least one letter; null clears it.")
    user = (await session.scalars(select(User).where(User.id == user_id).with_for_update(key_share=True))).one()
    for column, value in changes.items():
        setattr(user, column, value.strip() if column == "name" and value is not None else value)
    await session.flush()
    return user


def ensure_zone(name: str, *, field: str) -> None:
    """Raises InvalidInput, about the field of the body, for what is no time zone of the IANA database."""
    if name not in available_timezones():
        raise InvalidInput(
            f"{field}: {name[:64]!r} is no time zone; send a name like Europe/Berlin.",
            errors=[{"in": "body", "field": field}],
        )
