"""Whose a credential is: keys, sessions, and what revokes them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from backend.auth.errors import EmailTaken, KeyUnknown, Unauthenticated, UserUnknown
from backend.auth.principal import Principal
from backend.auth.service.host_accounts import AccountChange, mark_deleted, put_account, put_member, remove_member
from backend.auth.service.keys_service import CreatedKey, create_key, revoke_key
from backend.auth.service.operators import (
    FIRST_ADMIN,
    create_active_user,
    find_user,
    first_admin_link,
    grant_role,
    mint_run_key,
)
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.tests.factories.accounts import Person
from backend.tests.factories.users import PASSWORD, SignIn, sign_in_on
from backend.tests.moments import NOW

SECOND = timedelta(seconds=1)


@pytest.fixture
async def signing(database: Database) -> AsyncIterator[SignIn]:
    async with sign_in_on(database) as made:
        yield made


async def caller(signing: SignIn, authorization: str | None) -> Principal | Unauthenticated | None:
    found: Principal | Unauthenticated | None = await signing.resolve(authorization, now=NOW + SECOND)
    return found


async def personal(signing: SignIn, user: Person, *scopes: str) -> CreatedKey:
    async with signing.database.system() as session:
        return await create_key(
            session, name="a program", account_id=user.account_id, user_id=user.user_id, scopes=scopes, now=NOW
        )


async def service(signing: SignIn, *scopes: str) -> CreatedKey:
    async with signing.database.system() as session:
        return await create_key(session, name="the host", account_id=None, user_id=None, scopes=scopes, now=NOW)


async def execute(signing: SignIn, statement: str) -> None:
    async with signing.database.system() as session:
        await session.execute(text(statement))


async def test_no_credential_is_nobody_and_a_bad_one_is_an_error_that_is_not_raised(signing: SignIn) -> None:
    assert await caller(signing, None) is None
    for bad in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer fk_live_", "Bearer fk_svc_" + "x" * 43):
        assert isinstance(await caller(signing, bad), Unauthenticated), bad
    for bad in ("Bearer \x00", "Bearer fk_live_\x00", "bearer é", "Bearer fk_live_é", "Bearer " + "x" * 65_536):
        assert isinstance(await caller(signing, bad), Unauthenticated), bad[:20]


async def test_why_a_credential_is_bad_is_not_told(signing: SignIn) -> None:
    user = await signing.user()
    key = await personal(signing, user)
    await execute(signing, "UPDATE api_keys SET revoked_at = now()")
    answers = [await caller(signing, f"Bearer {bad}") for bad in (key.key, "fk_live_unknown", "x.y.z")]
    assert len({str(answer) for answer in answers}) == 1


async def test_a_personal_key_acts_for_its_account(signing: SignIn) -> None:
    user = await signing.user()
    key = await personal(signing, user)
    for scheme in ("Bearer", "bearer", "BEARER"):
        found = await caller(signing, f"{scheme} {key.key}")
        assert found == Principal("personal_key", user.account_id, user_id=user.user_id, key_id=key.id, role="owner")


async def test_a_key_may_do_no_more_than_its_user_in_its_account(signing: SignIn) -> None:
    user, team = await signing.user(), await signing.user()
    async with signing.database.system() as session:
        key = await create_key(session, name="x", account_id=team.account_id, user_id=user.user_id, scopes=(), now=NOW)
        hosts = await create_key(session, name="x", account_id=team.account_id, user_id=None, scopes=(), now=NOW)
    assert isinstance(await caller(signing, f"Bearer {key.key}"), Unauthenticated), "no member"
    for role in ("developer", "viewer"):
        async with signing.database.system() as session:
            await put_member(session, account_id=team.account_id, subject=str(user.user_id), role=role)
        found = await caller(signing, f"Bearer {key.key}")
        assert isinstance(found, Principal)
        assert found.role == role
    async with signing.database.system() as session:
        await remove_member(session, account_id=team.account_id, subject=str(user.user_id), now=NOW)
    assert isinstance(await caller(signing, f"Bearer {key.key}"), Unauthenticated)
    found = await caller(signing, f"Bearer {hosts.key}")
    assert isinstance(found, Principal)
    assert found.role is None


async def test_a_key_of_a_deleted_account_is_nobodys(signing: SignIn) -> None:
    async with signing.database.system() as session:
        account = await put_account(session, external_id="org-1", change=AccountChange(), now=NOW)
        kept = await create_key(session, name="x", account_id=account.id, user_id=None, scopes=(), now=NOW)
        await mark_deleted(session, account=account, now=NOW)
    assert isinstance(await caller(signing, f"Bearer {kept.key}"), Unauthenticated)
    assert await signing.scalar("SELECT revoked_at IS NOT NULL FROM api_keys")
    await execute(signing, "UPDATE api_keys SET revoked_at = NULL")
    assert isinstance(await caller(signing, f"Bearer {kept.key}"), Unauthenticated)


async def test_a_service_key_has_scopes_and_no_account(signing: SignIn) -> None:
    key = await service(signing, "usage:write", "keys:verify", "usage:write")
    assert key.scopes == ("keys:verify", "usage:write")
    found = await caller(signing, f"Bearer {key.key}")
    assert found == Principal("service_key", None, key_id=key.id, scopes=frozenset({"keys:verify", "usage:write"}))


async def test_of_a_key_only_its_beginning_and_its_hash_are_kept(signing: SignIn) -> None:
    key = await service(signing)
    row = str(await signing.scalar("SELECT row_to_json(k) FROM api_keys k"))
    assert key.prefix in row
    assert key.key.removeprefix(key.prefix) not in row


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_keys SET revoked_at = now()",
        "UPDATE api_keys SET expires_at = '2026-03-10 12:00:01+00'",
        "UPDATE users SET status = 'suspended'",
        "UPDATE users SET status = 'deleted', deleted_at = now()",
    ],
)
async def test_a_key_that_is_over_works_nowhere_at_once(signing: SignIn, statement: str) -> None:
    key = await personal(signing, await signing.user())
    assert isinstance(await caller(signing, f"Bearer {key.key}"), Principal)
    await execute(signing, statement)
    assert isinstance(await caller(signing, f"Bearer {key.key}"), Unauthenticated)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = '2026-03-10 12:00:01+00'",
        "UPDATE users SET status = 'suspended'",
        "UPDATE users SET status = 'deleted', deleted_at = now()",
        "DELETE FROM sessions",
    ],
)
async def test_a_session_that_is_over_works_nowhere_at_once(signing: SignIn, statement: str) -> None:
    pair = await signing.login((await signing.user()).email)
    assert isinstance(await caller(signing, f"Bearer {pair.access_token}"), Principal)
    await execute(signing, statement)
    assert isinstance(await caller(signing, f"Bearer {pair.access_token}"), Unauthenticated)


async def test_a_token_names_no_session_of_another_user(signing: SignIn) -> None:
    one, two = await signing.user(), await signing.user()
    await signing.login(one.email)
    session_id = await signing.scalar("SELECT id FROM sessions")
    token = signing.jwt.issue_access(two.user_id, session_id, now=NOW)
    assert isinstance(await caller(signing, f"Bearer {token}"), Unauthenticated)


async def test_roles_are_those_of_this_moment(signing: SignIn) -> None:
    user = await signing.user()
    pair = await signing.login(user.email)
    async with signing.database.system() as session:
        for _ in range(2):
            await grant_role(session, user_id=user.user_id, role="superadmin")
    found = await caller(signing, f"Bearer {pair.access_token}")
    assert isinstance(found, Principal)
    assert found.roles == {"superadmin"}
    await execute(signing, "DELETE FROM user_roles")
    found = await caller(signing, f"Bearer {pair.access_token}")
    assert isinstance(found, Principal)
    assert found.roles == frozenset()


async def test_a_key_is_revoked_by_id_or_prefix_and_once(signing: SignIn) -> None:
    user = await signing.user()
    by_id, by_prefix, kept = [await personal(signing, user) for _ in range(3)]
    for named in (str(by_id.id), by_prefix.prefix):
        async with signing.database.system() as session:
            assert len(await revoke_key(session, named=named, now=NOW)) == 1
        async with signing.database.system() as session:
            with pytest.raises(KeyUnknown):
                await revoke_key(session, named=named, now=NOW)
    assert isinstance(await caller(signing, f"Bearer {by_id.key}"), Unauthenticated)
    assert isinstance(await caller(signing, f"Bearer {by_prefix.key}"), Unauthenticated)
    assert isinstance(await caller(signing, f"Bearer {kept.key}"), Principal)


@pytest.mark.parametrize(("kind", "scope"), [("personal", "keys:verify"), ("service", "everything"), ("service", "")])
async def test_a_scope_that_does_not_exist_is_refused(signing: SignIn, kind: str, scope: str) -> None:
    user = await signing.user()
    with pytest.raises(InvalidInput, match="no scope"):
        await (personal(signing, user, scope) if kind == "personal" else service(signing, scope))


async def test_keys_tell_caches_of_their_account(signing: SignIn) -> None:
    user = await signing.user()
    before = await version(signing, user.account_id)
    key = await personal(signing, user)
    assert await version(signing, user.account_id) == before + 1
    async with signing.database.system() as session:
        await revoke_key(session, named=str(key.id), now=NOW)
    assert await version(signing, user.account_id) == before + 2


async def version(signing: SignIn, account_id: AccountId) -> int:
    return int(await signing.scalar("SELECT version FROM accounts WHERE id = :id", id=account_id))


# Operators


async def test_the_first_admin_gets_a_link_until_an_admin_has_a_password(signing: SignIn) -> None:
    links = [await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW) for _ in range(2)]
    assert all(link and link.startswith("http://web/login?token=") for link in links)
    assert links[0] != links[1]
    assert await signing.scalar("SELECT count(*) FROM sign_in_links") == 1
    assert await signing.scalar("SELECT email FROM users") == FIRST_ADMIN
    assert await signing.scalar("SELECT role FROM user_roles") == "superadmin"
    password_hash = await signing.passwords.hash(PASSWORD)
    async with signing.database.system() as session:
        await create_active_user(
            session, email="boss@example.com", password_hash=password_hash, roles=["superadmin"], now=NOW
        )
    assert await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW) is None
    assert await signing.login("boss@example.com")


async def test_nobody_becomes_an_admin_by_having_the_first_ones_address(signing: SignIn) -> None:
    await signing.user(email=FIRST_ADMIN)
    assert await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW) is None
    assert await mint_run_key(signing.database, now=NOW) is None
    assert await signing.scalar("SELECT count(*) FROM user_roles") == 0


async def test_the_key_of_the_last_run_stops_working_with_the_next(signing: SignIn) -> None:
    await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW)
    first = await mint_run_key(signing.database, now=NOW)
    second = await mint_run_key(signing.database, now=NOW)
    assert first
    assert second
    assert isinstance(await caller(signing, f"Bearer {first.key}"), Unauthenticated)
    found = await caller(signing, f"Bearer {second.key}")
    assert isinstance(found, Principal)
    assert found.account_id == await signing.scalar("SELECT personal_account_id FROM users")


async def test_an_address_has_one_user(signing: SignIn) -> None:
    user = await signing.user(email="ada@example.com")
    async with signing.database.system() as session:
        assert (await find_user(session, email="ADA@example.com")).id == user.user_id
        with pytest.raises(EmailTaken):
            await create_active_user(session, email="Ada@Example.com", password_hash="x", now=NOW)
        with pytest.raises(UserUnknown):
            await find_user(session, email="nobody@example.com")
