"""Becoming a user: one account for one address, neutral answers, links that work once."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import text

from backend.auth.errors import AddressRefused, InvalidCredentials, LinkInvalid, TooManyAttempts
from backend.core.errors import InvalidInput
from backend.core.ids import UserId
from backend.db.session import Database
from backend.mail.message import links_in
from backend.subscription.service import get_user_plan
from backend.tests.factories.users import PASSWORD, SignIn, sign_in_on
from backend.tests.moments import NOW

SECOND = timedelta(seconds=1)
EMAIL = "ada@example.com"


@pytest.fixture
async def signing(database: Database) -> AsyncIterator[SignIn]:
    async with sign_in_on(database) as made:
        yield made


async def mails(signing: SignIn, to: str = EMAIL) -> list[str]:
    """The texts of the mails to an address, newest first."""
    found = await signing.scalar(
        "SELECT array_agg(text_body ORDER BY id DESC) FROM outgoing_mails WHERE recipient = :to", to=to
    )
    return found or []


async def token(signing: SignIn, to: str = EMAIL) -> str:
    """The token of the newest mail's first link."""
    link = links_in((await mails(signing, to))[0])[0]
    assert link.startswith("http://localhost:5173/verify-email?token=")
    return link.partition("?token=")[2]


async def count(signing: SignIn, table: str) -> int:
    assert re.fullmatch(r"[a-z_]+", table)
    return int(await signing.scalar(f"SELECT count(*) FROM {table}"))


async def test_a_new_user_has_an_account_a_mail_and_the_free_plan(signing: SignIn) -> None:
    await signing.register(" Ada@Example.COM ")
    with pytest.raises(InvalidCredentials):
        await signing.login(EMAIL)
    user_id = UserId(await signing.scalar("SELECT id FROM users"))
    account = await signing.scalar("SELECT row_to_json(a) FROM accounts a")
    user = await signing.scalar("SELECT row_to_json(u) FROM users u")
    assert (user["email"], user["status"], user["personal_account_id"]) == (EMAIL, "unverified", account["id"])
    assert (account["kind"], account["owner_user_id"]) == ("personal", str(user_id))
    assert await signing.scalar("SELECT usage_anchor FROM accounts") == NOW
    assert await signing.scalar("SELECT billing_zone FROM catalog_state") == account["billing_zone"]
    member = await signing.scalar("SELECT row_to_json(m) FROM account_members m")
    assert (member["account_id"], member["user_id"], member["role"]) == (account["id"], str(user_id), "owner")
    assert await count(signing, "procrastinate_jobs") == 1
    async with signing.database.read() as session:
        assert (await get_user_plan(session, user_id, now=NOW)).name == "free"
    await signing.registration.verify(token=await token(signing), now=NOW)
    assert await signing.login(EMAIL)


async def test_what_is_stored_gives_nobody_a_password_or_a_link(signing: SignIn) -> None:
    await signing.register(EMAIL)
    sent = await token(signing)
    for table in ("users", "email_verifications", "sign_in_attempts"):
        rows = str(await signing.scalar(f"SELECT json_agg(t) FROM {table} t"))
        assert PASSWORD not in rows
        assert sent not in rows


async def test_fifty_sign_ups_of_one_address_in_mixed_case_make_one_account(database: Database) -> None:
    async with sign_in_on(database, rate_limit_allowlist=(ip_network("192.0.2.0/24"),)) as signing:
        spellings = ["".join(c.upper() if n >> i & 1 else c for i, c in enumerate(EMAIL)) for n in range(50)]
        await asyncio.gather(*(signing.register(spelling) for spelling in spellings))
        for table in ("users", "accounts", "account_members"):
            assert await count(signing, table) == 1
        assert 1 <= len(await mails(signing)) <= 6
        assert await signing.scalar("SELECT count(*) FROM email_verifications WHERE expires_at > :now", now=NOW) == 1
        await signing.registration.verify(token=await token(signing), now=NOW)
        assert await signing.login(EMAIL)


async def test_a_known_address_is_told_by_mail_and_nothing_changes(signing: SignIn) -> None:
    user = await signing.user(email=EMAIL)
    before = await signing.scalar("SELECT row_to_json(u) FROM users u")
    await signing.register(EMAIL, "another password of another person")
    assert await signing.scalar("SELECT row_to_json(u) FROM users u") == before
    (told,) = await mails(signing)
    assert "has one already" in told
    assert links_in(told) == ["http://localhost:5173/login"]
    assert await signing.login(user.email)


async def test_whoever_signs_up_with_anothers_address_knows_no_password_of_theirs(signing: SignIn) -> None:
    await signing.register(EMAIL, "the password of the thief")
    stale = await token(signing)
    await signing.register(EMAIL, PASSWORD)
    with pytest.raises(LinkInvalid):
        await signing.registration.verify(token=stale, now=NOW)
    await signing.registration.resend(email=EMAIL, now=NOW)
    reset = links_in((await mails(signing))[0])[0].partition("/reset?token=")[2]
    for password in ("the password of the thief", PASSWORD):
        with pytest.raises(InvalidCredentials):
            await signing.login(EMAIL, password)
    await signing.resets.reset(token=reset, new_password=PASSWORD, now=NOW)
    assert await signing.login(EMAIL)


async def test_nobodys_mailbox_is_filled_by_filling_in_the_form(signing: SignIn) -> None:
    await signing.user(email=EMAIL)
    await signing.register("eve@example.com", last=100)
    for number in range(20):
        await signing.register(EMAIL, last=number + 1)
        await signing.register("eve@example.com", last=number + 1)
        await _forget_networks(signing)
    assert len(await mails(signing)) == 5
    assert len(await mails(signing, "eve@example.com")) == 5


async def _forget_networks(signing: SignIn) -> None:
    async with signing.database.system() as session:
        await session.execute(text("DELETE FROM sign_in_attempts WHERE subject LIKE 'register:%'"))


async def test_a_network_may_register_ten_times_an_hour(signing: SignIn) -> None:
    for number in range(10):
        await signing.register(f"person{number}@example.com")
    with pytest.raises(TooManyAttempts) as caught:
        await signing.register("person10@example.com")
    assert 3_580 < int(caught.value.headers["Retry-After"]) <= 3_600
    assert await count(signing, "users") == 10
    await signing.register("person10@example.com", last=2)


async def test_without_its_mail_there_is_no_user(signing: SignIn) -> None:
    async with signing.database.system() as session:
        await session.execute(text("RESET ROLE"))
        await session.execute(text("REVOKE INSERT ON outgoing_mails FROM feature_app"))
    with pytest.raises(Exception, match="permission denied"):
        await signing.register(EMAIL)
    for table in ("users", "accounts", "account_members", "email_verifications", "procrastinate_jobs"):
        assert await count(signing, table) == 0


NO_ADDRESSES = [
    "",
    "@",
    "ada",
    "ada@",
    "@example.com",
    "a b@example.com",
    "ada@exam ple.com",
    "ada@example..com",
    "ada@localhost",
    "ada@[127.0.0.1]",
    "ada@example.com\nBcc: eve@example.com",
    "Ada <ada@example.com>",
    "åda@example.com",
    "x" * 320,
]


async def test_what_is_no_address_is_refused_and_costs_no_slot(signing: SignIn) -> None:
    for email in NO_ADDRESSES:
        with pytest.raises(AddressRefused):
            await signing.register(email)
    assert await count(signing, "users") == 0
    assert await count(signing, "sign_in_attempts") == 0


async def test_a_domain_is_the_same_in_both_its_spellings(signing: SignIn) -> None:
    await signing.register("ada@EXÄMPLE.com")
    await signing.register("ada@xn--exmple-cua.com")
    assert await count(signing, "users") == 1


async def test_a_refused_password_makes_no_user(signing: SignIn) -> None:
    for password in ("short", "x" * 129, "password1234", EMAIL):
        with pytest.raises(InvalidInput, match="password: "):
            await signing.register(EMAIL, password)
    assert await count(signing, "users") == 0


# Links


async def test_a_second_click_is_answered_kindly(signing: SignIn) -> None:
    await signing.register(EMAIL)
    sent = await token(signing)
    for _ in range(3):
        await signing.registration.verify(token=sent, now=NOW)
    assert await signing.scalar("SELECT email_verified_at FROM users") == NOW
    assert await signing.scalar("SELECT version FROM accounts") == 2


async def test_clicks_at_once_confirm_once(signing: SignIn) -> None:
    await signing.register(EMAIL)
    sent = await token(signing)
    await asyncio.gather(*(signing.registration.verify(token=sent, now=NOW) for _ in range(10)))
    assert await signing.scalar("SELECT version FROM accounts") == 2


async def test_clicks_and_new_links_at_once_do_not_block_each_other(signing: SignIn) -> None:
    for round_ in range(5):
        email = f"person{round_}@example.com"
        await signing.register(email, last=round_ + 1)
        sent = await token(signing, email)
        done = await asyncio.gather(
            *(signing.registration.verify(token=sent, now=NOW) for _ in range(4)),
            *(signing.registration.resend(email=email, now=NOW) for _ in range(4)),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in done} <= {type(None), LinkInvalid}


async def test_a_link_is_good_for_a_day(signing: SignIn) -> None:
    await signing.register(EMAIL)
    with pytest.raises(LinkInvalid):
        await signing.registration.verify(token=await token(signing), now=NOW + timedelta(days=1))
    await signing.registration.verify(token=await token(signing), now=NOW + timedelta(days=1) - SECOND)


async def test_only_the_newest_link_works(signing: SignIn) -> None:
    await signing.register(EMAIL)
    older = await token(signing)
    await signing.registration.resend(email=EMAIL.upper(), now=NOW + SECOND)
    with pytest.raises(LinkInvalid):
        await signing.registration.verify(token=older, now=NOW + 2 * SECOND)
    await signing.registration.verify(token=await token(signing), now=NOW + 2 * SECOND)


async def test_a_link_gives_a_suspended_user_nothing(signing: SignIn) -> None:
    await signing.register(EMAIL)
    async with signing.database.system() as session:
        await session.execute(text("UPDATE users SET status = 'suspended'"))
    with pytest.raises(LinkInvalid):
        await signing.registration.verify(token=await token(signing), now=NOW)
    assert await signing.scalar("SELECT status FROM users") == "suspended"


async def test_an_unknown_link_confirms_nothing(signing: SignIn) -> None:
    for sent in ("", "x", "é" * 50, "0" * 10_000):
        with pytest.raises(LinkInvalid):
            await signing.registration.verify(token=sent, now=NOW)


@pytest.mark.parametrize("kind", ["unknown", "unverified", "active"])
async def test_a_new_link_can_be_asked_for_five_times_an_hour_whoever_it_is(signing: SignIn, kind: str) -> None:
    if kind != "unknown":
        await signing.user(status=kind, email=EMAIL)
    for _ in range(5):
        await signing.registration.resend(email=EMAIL, now=NOW)
    with pytest.raises(TooManyAttempts):
        await signing.registration.resend(email=EMAIL, now=NOW)
    assert len(await mails(signing)) == (5 if kind == "unverified" else 0)
