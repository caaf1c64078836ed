"""Signing in, staying signed in and signing out, on a real database."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import IPv4Address, ip_network

import pytest
from sqlalchemy import text

from backend.auth.errors import InvalidCredentials, LinkInvalid, RefreshRefused, TooManyAttempts, Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.operators import first_admin_link
from backend.auth.service.sessions import TokenPair
from backend.db.session import Database
from backend.security.jwt_service import new_jwk
from backend.security.tokens import RefreshToken, digest
from backend.tests.factories.accounts import Person
from backend.tests.factories.users import HERE, PASSWORD, SignIn, sign_in_on
from backend.tests.moments import NOW

SECOND = timedelta(seconds=1)
WRONG = "not the password at all"


@pytest.fixture
async def signing(database: Database) -> AsyncIterator[SignIn]:
    async with sign_in_on(database) as made:
        yield made


async def resolved(signing: SignIn, access_token: str, *, after: timedelta = SECOND) -> Principal | Unauthenticated | None:
    async with signing.database.read() as session:
        return await signing.credentials.resolve(session, f"Bearer {access_token}", now=NOW + after)


async def refresh(signing: SignIn, pair: TokenPair | str, *, after: timedelta) -> TokenPair:
    token = pair if isinstance(pair, str) else pair.refresh_token
    return await signing.auth.refresh(refresh_token=token, now=NOW + after)


async def age_attempts(signing: SignIn, by: timedelta) -> None:
    """The database's clock cannot be moved; what happened can."""
    async with signing.database.system() as session:
        await session.execute(text("UPDATE sign_in_attempts SET attempted_at = attempted_at - :by"), {"by": by})


async def refused_login(signing: SignIn, email: str, password: str, **arguments: int) -> Exception:
    with pytest.raises((InvalidCredentials, TooManyAttempts)) as caught:
        await signing.login(email, password, **arguments)
    return caught.value


async def test_a_sign_in_gives_a_session_whose_token_names_the_caller(signing: SignIn) -> None:
    user = await signing.user()
    pair = await signing.login(user.email.upper())
    found = await resolved(signing, pair.access_token)
    assert isinstance(found, Principal)
    assert (found.kind, found.user_id, found.account_id) == ("user", user.user_id, user.account_id)
    assert pair.expires_in == 420
    row = await signing.scalar("SELECT row_to_json(s) FROM sessions s")
    assert (row["address"], row["revoked_at"], row["generation"]) == ("192.0.2.1", None, 0)
    assert pair.refresh_token not in str(row)
    assert await signing.scalar("SELECT last_login_at FROM users WHERE id = :id", id=user.user_id) == NOW


async def test_unknown_wrong_unconfirmed_suspended_and_without_a_password_get_one_answer(signing: SignIn) -> None:
    active, unverified = await signing.user(), await signing.user(status="unverified")
    suspended = await signing.user(status="suspended")
    async with signing.database.system() as session:
        without = await _without_password(session)
    cases = [
        (active.email, WRONG),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        (unverified.email, PASSWORD),
        (suspended.email, PASSWORD),
        (without.email, "the password of nobody"),
    ]
    answers = [await refused_login(signing, email, password) for email, password in cases]
    assert {(type(error), str(error), *error.__dict__["fields"]) for error in answers} == {
        (InvalidCredentials, str(answers[0]))
    }
    assert await signing.scalar("SELECT count(*) FROM sessions") == 0


async def _without_password(session: object) -> Person:
    from backend.tests.factories.accounts import person

    return await person(session)
