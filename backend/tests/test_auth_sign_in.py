"""Signing in, staying signed in and signing out, on a real database."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import text

from backend.auth.errors import InvalidCredentials, LinkInvalid, RefreshRefused, TooManyAttempts, Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.operators import first_admin_link
from backend.auth.service.sessions import TokenPair
from backend.db.session import Database
from backend.security.signing_keys import new_jwk
from backend.security.tokens import RefreshToken, new_token
from backend.tests.factories.users import HERE, PASSWORD, SignIn, sign_in_on
from backend.tests.moments import NOW

SECOND = timedelta(seconds=1)
WRONG = "not the password at all"


@pytest.fixture
async def signing(database: Database) -> AsyncIterator[SignIn]:
    async with sign_in_on(database) as made:
        yield made


async def caller(
    signing: SignIn, access_token: str, *, after: timedelta = SECOND
) -> Principal | Unauthenticated | None:
    found: Principal | Unauthenticated | None = await signing.resolve(f"Bearer {access_token}", now=NOW + after)
    return found


async def refresh(signing: SignIn, token: str, *, after: timedelta) -> TokenPair:
    return await signing.auth.refresh(refresh_token=token, now=NOW + after)


async def age_attempts(signing: SignIn, by: timedelta) -> None:
    """The database's clock cannot be moved; what has happened can."""
    async with signing.database.system() as session:
        await session.execute(text("UPDATE sign_in_attempts SET attempted_at = attempted_at - :by"), {"by": by})


async def refused(signing: SignIn, email: str, password: str = WRONG, *, last: int = 1) -> Exception:
    with pytest.raises((InvalidCredentials, TooManyAttempts)) as caught:
        await signing.login(email, password, last=last)
    return caught.value


# Signing in


async def test_a_sign_in_gives_a_session_whose_token_names_the_caller(signing: SignIn) -> None:
    user = await signing.user()
    pair = await signing.login(user.email.upper())
    found = await caller(signing, pair.access_token)
    assert isinstance(found, Principal)
    assert (found.kind, found.user_id, found.account_id) == ("user", user.user_id, user.account_id)
    assert pair.expires_in == 420
    row = await signing.scalar("SELECT row_to_json(s) FROM sessions s")
    assert (row["address"], row["revoked_at"], row["generation"]) == (str(HERE), None, 0)
    assert pair.refresh_token not in str(row)
    assert await signing.scalar("SELECT last_login_at FROM users WHERE id = :id", id=user.user_id) == NOW


async def test_whoever_may_not_sign_in_gets_one_and_the_same_answer(signing: SignIn) -> None:
    active, unverified = await signing.user(), await signing.user(status="unverified")
    suspended, without = await signing.user(status="suspended"), await signing.user(password=None)
    cases = [
        (active.email, WRONG),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        (unverified.email, PASSWORD),
        (suspended.email, PASSWORD),
        (without.email, "the password of nobody"),
    ]
    answers = [await refused(signing, email, password) for email, password in cases]
    assert {type(answer) for answer in answers} == {InvalidCredentials}
    assert len({str(vars(answer)) for answer in answers}) == 1
    assert await signing.scalar("SELECT count(*) FROM sessions") == 0


async def test_an_answer_takes_as_long_for_an_unknown_address_as_for_a_known_one(database: Database) -> None:
    networks = (ip_network("192.0.2.0/24"),)
    costs = {"argon2_time_cost": 2, "argon2_memory_kib": 8_192, "argon2_workers": 1}
    async with sign_in_on(database, rate_limit_allowlist=networks, **costs) as signing:
        users = [await signing.user() for _ in range(20)]
        seconds: dict[str, list[float]] = {"known": [], "unknown": []}
        for number, user in enumerate(users):
            for kind, email in (("known", user.email), ("unknown", f"nobody{number}@example.com")):
                began = time.perf_counter()
                await refused(signing, email)
                seconds[kind].append(time.perf_counter() - began)
    known, unknown = statistics.median(seconds["known"]), statistics.median(seconds["unknown"])
    assert 0.7 < known / unknown < 1.4


async def test_a_password_that_changes_while_it_is_verified_signs_nobody_in(
    signing: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await signing.user()
    verify = signing.passwords.verify

    async def verify_slowly(password: str, stored: str | None) -> bool:
        matches = await verify(password, stored)
        async with signing.database.system() as session:
            await session.execute(text("UPDATE users SET password_hash = 'another'"))
        return matches

    monkeypatch.setattr(signing.passwords, "verify", verify_slowly)
    assert isinstance(await refused(signing, user.email, PASSWORD), InvalidCredentials)
    assert await signing.scalar("SELECT count(*) FROM sessions") == 0


# Guessing


@pytest.mark.parametrize("known", [True, False])
async def test_of_fifty_guesses_at_once_ten_are_looked_at(signing: SignIn, known: bool) -> None:
    user = await signing.user()
    email = user.email if known else "nobody@example.com"
    answers = await asyncio.gather(*(refused(signing, email, last=number) for number in range(1, 51)))
    kinds = [type(answer) for answer in answers]
    assert (kinds.count(InvalidCredentials), kinds.count(TooManyAttempts)) == (10, 40)
    right = await refused(signing, email, PASSWORD, last=60)
    assert isinstance(right, TooManyAttempts)
    assert right.code == "too_many_attempts"
    assert 880 < int(right.headers["Retry-After"]) <= 900


async def test_guesses_at_many_addresses_from_one_network_are_counted_together(signing: SignIn) -> None:
    answers = [await refused(signing, f"nobody{number}@example.com") for number in range(31)]
    assert [type(answer) for answer in answers] == [InvalidCredentials] * 30 + [TooManyAttempts]
    assert isinstance(await refused(signing, "nobody@example.com", last=2), InvalidCredentials)


async def test_the_allow_list_lifts_the_limit_of_an_address_and_not_that_of_an_account(database: Database) -> None:
    async with sign_in_on(database, rate_limit_allowlist=(ip_network("192.0.2.0/24"),)) as signing:
        for number in range(35):
            assert isinstance(await refused(signing, f"nobody{number}@example.com"), InvalidCredentials)
        answers = [await refused(signing, "victim@example.com") for _ in range(11)]
        assert isinstance(answers[-1], TooManyAttempts)


async def test_success_forgets_the_failures_of_the_account_and_not_those_of_the_network(signing: SignIn) -> None:
    user = await signing.user()
    for _ in range(2):
        for _ in range(9):
            await refused(signing, user.email)
        await signing.login(user.email)
    counted = "SELECT count(*) FROM sign_in_attempts WHERE subject LIKE :subject"
    assert await signing.scalar(counted, subject="login:account:%") == 0
    assert await signing.scalar(counted, subject="login:network:%") == 18


async def test_the_wait_that_is_told_is_the_wait_that_is_needed(signing: SignIn) -> None:
    user = await signing.user()
    for _ in range(10):
        await refused(signing, user.email)
    answer = await refused(signing, user.email)
    assert isinstance(answer, TooManyAttempts)
    wait = int(answer.headers["Retry-After"])
    await age_attempts(signing, timedelta(seconds=wait - 5))
    assert isinstance(await refused(signing, user.email), TooManyAttempts)
    await age_attempts(signing, timedelta(seconds=5))
    assert await signing.login(user.email)


async def test_whoever_goes_on_guessing_waits_longer_each_time(signing: SignIn) -> None:
    user = await signing.user()
    for _ in range(10):
        await refused(signing, user.email)
    await age_attempts(signing, timedelta(seconds=900))
    waits = []
    for number in range(6):
        last = 10 + number
        assert isinstance(await refused(signing, user.email, last=last), InvalidCredentials)
        answer = await refused(signing, user.email, last=last)
        assert isinstance(answer, TooManyAttempts)
        waits.append(int(answer.headers["Retry-After"]))
        await age_attempts(signing, timedelta(seconds=waits[-1]))
    assert waits == sorted(waits)
    assert waits[-1] >= 2 * waits[-3]


# Staying signed in


async def test_each_refresh_gives_the_next_token_and_keeps_the_session(signing: SignIn) -> None:
    user = await signing.user()
    first = await signing.login(user.email)
    second = await refresh(signing, first.refresh_token, after=timedelta(minutes=5))
    third = await refresh(signing, second.refresh_token, after=timedelta(days=29))
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    found = await caller(signing, third.access_token, after=timedelta(days=29, seconds=1))
    assert isinstance(found, Principal)
    assert found.session_id == RefreshToken.parse(first.refresh_token).session_id
    with pytest.raises(RefreshRefused):
        await refresh(signing, third.refresh_token, after=timedelta(days=59))


async def test_twenty_refreshes_at_once_have_one_successor(signing: SignIn) -> None:
    user = await signing.user()
    first = await signing.login(user.email)
    pairs = await asyncio.gather(
        *(refresh(signing, first.refresh_token, after=timedelta(minutes=1)) for _ in range(20))
    )
    assert len({pair.refresh_token for pair in pairs}) == 1
    assert await signing.scalar("SELECT generation FROM sessions") == 1
    assert await refresh(signing, pairs[0].refresh_token, after=timedelta(minutes=2))


@pytest.mark.parametrize("seconds", [0, 9, 10])
async def test_a_retry_within_ten_seconds_gets_the_same_successor(signing: SignIn, seconds: int) -> None:
    first = await signing.login((await signing.user()).email)
    at = timedelta(minutes=1)
    second = await refresh(signing, first.refresh_token, after=at)
    again = await refresh(signing, first.refresh_token, after=at + timedelta(seconds=seconds))
    assert again.refresh_token == second.refresh_token


async def test_a_spent_token_after_the_grace_ends_the_family_for_good(signing: SignIn) -> None:
    user = await signing.user()
    first, other = await signing.login(user.email), await signing.login(user.email)
    second = await refresh(signing, first.refresh_token, after=SECOND)
    with pytest.raises(RefreshRefused):
        await refresh(signing, first.refresh_token, after=timedelta(seconds=12))
    for token in (first.refresh_token, second.refresh_token):
        with pytest.raises(RefreshRefused):
            await refresh(signing, token, after=timedelta(seconds=12))
    assert isinstance(await caller(signing, second.access_token, after=timedelta(seconds=12)), Unauthenticated)
    assert isinstance(await caller(signing, other.access_token, after=timedelta(seconds=12)), Principal)
    assert await refresh(signing, other.refresh_token, after=timedelta(seconds=12))


async def test_a_token_spent_two_steps_ago_ends_the_family_at_once(signing: SignIn) -> None:
    first = await signing.login((await signing.user()).email)
    second = await refresh(signing, first.refresh_token, after=SECOND)
    third = await refresh(signing, second.refresh_token, after=2 * SECOND)
    with pytest.raises(RefreshRefused):
        await refresh(signing, first.refresh_token, after=3 * SECOND)
    with pytest.raises(RefreshRefused):
        await refresh(signing, third.refresh_token, after=3 * SECOND)


async def test_a_made_up_token_ends_nothing(signing: SignIn) -> None:
    user = await signing.user()
    first = await signing.login(user.email)
    second = await refresh(signing, first.refresh_token, after=SECOND)
    spent = RefreshToken.parse(first.refresh_token)
    foreign = RefreshToken.parse((await signing.login(user.email)).refresh_token)
    made_up = [
        "nonsense",
        str(RefreshToken(spent.session_id, 0, new_token(), spent.seal)),
        str(RefreshToken(spent.session_id, 0, spent.secret, "x" * 22)),
        str(RefreshToken(spent.session_id, 1, spent.secret, spent.seal)),
        str(RefreshToken(spent.session_id, 9, spent.secret, spent.seal)),
        str(RefreshToken(spent.session_id, 0, foreign.secret, foreign.seal)),
        str(RefreshToken.first(spent.session_id, b"k" * 32)),
        second.access_token,
    ]
    for token in made_up:
        with pytest.raises(RefreshRefused):
            await refresh(signing, token, after=timedelta(minutes=1))
    assert await refresh(signing, second.refresh_token, after=timedelta(minutes=1))


async def test_changed_keys_sign_nobody_out_and_still_know_a_spent_token(database: Database) -> None:
    old, new = new_jwk(), new_jwk()
    async with sign_in_on(database, jwt_jwk_current=old) as before:
        user = await before.user()
        kept, stolen = await before.login(user.email), await before.login(user.email)
        newest = await refresh(before, stolen.refresh_token, after=SECOND)
    async with sign_in_on(database, jwt_jwk_current=new, jwt_jwk_previous=old) as after:
        assert await refresh(after, kept.refresh_token, after=timedelta(days=3))
        retried = await refresh(after, stolen.refresh_token, after=5 * SECOND)
        assert retried.refresh_token == newest.refresh_token
        with pytest.raises(RefreshRefused):
            await refresh(after, stolen.refresh_token, after=timedelta(minutes=1))
        with pytest.raises(RefreshRefused):
            await refresh(after, newest.refresh_token, after=timedelta(minutes=1))
    async with sign_in_on(database, jwt_jwk_current=new) as later:
        renewed = await later.login(user.email)
        assert await refresh(later, renewed.refresh_token, after=timedelta(minutes=1))


@pytest.mark.parametrize("status", ["suspended", "unverified"])
async def test_a_user_who_may_not_sign_in_may_not_stay_signed_in(signing: SignIn, status: str) -> None:
    user = await signing.user()
    pair = await signing.login(user.email)
    async with signing.database.system() as session:
        await session.execute(text("UPDATE users SET status = :status"), {"status": status})
    assert isinstance(await caller(signing, pair.access_token), Unauthenticated)
    with pytest.raises(RefreshRefused):
        await refresh(signing, pair.refresh_token, after=SECOND)


# Signing out


async def test_signing_out_ends_the_session_at_once_and_tells_caches(signing: SignIn) -> None:
    user = await signing.user()
    pair, other = await signing.login(user.email), await signing.login(user.email)
    found = await caller(signing, pair.access_token)
    assert isinstance(found, Principal)
    assert found.session_id
    version = "SELECT version FROM accounts WHERE id = :id"
    before = await signing.scalar(version, id=user.account_id)
    for _ in range(2):
        await signing.auth.logout(session_id=found.session_id, now=NOW + SECOND)
    assert await signing.scalar(version, id=user.account_id) == before + 1
    assert isinstance(await caller(signing, pair.access_token), Unauthenticated)
    with pytest.raises(RefreshRefused):
        await refresh(signing, pair.refresh_token, after=SECOND)
    assert isinstance(await caller(signing, other.access_token), Principal)


# One-time links


async def use(signing: SignIn, link: str, *, after: timedelta = SECOND) -> TokenPair:
    token = link.partition("?token=")[2]
    found = await signing.auth.use_link(token=token, address=HERE, user_agent=None, now=NOW + after)
    assert isinstance(found, TokenPair)
    return found


async def test_a_link_signs_in_once_even_when_it_is_used_ten_times_at_once(signing: SignIn) -> None:
    link = await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW)
    assert link
    found = await asyncio.gather(*(use(signing, link) for _ in range(10)), return_exceptions=True)
    pairs = [pair for pair in found if isinstance(pair, TokenPair)]
    assert len(pairs) == 1
    assert all(isinstance(other, TokenPair | LinkInvalid) for other in found)
    principal = await caller(signing, pairs[0].access_token, after=2 * SECOND)
    assert isinstance(principal, Principal)
    assert principal.roles == {"superadmin"}


async def test_a_link_is_good_for_half_an_hour(signing: SignIn) -> None:
    link = await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW)
    assert link
    with pytest.raises(LinkInvalid):
        await use(signing, link, after=timedelta(minutes=30))
    assert await use(signing, link, after=timedelta(minutes=29, seconds=59))


async def test_a_link_of_somebody_who_was_suspended_meanwhile_does_not_work(signing: SignIn) -> None:
    link = await first_admin_link(signing.database, frontend_base_url="http://web", now=NOW)
    assert link
    async with signing.database.system() as session:
        await session.execute(text("UPDATE users SET status = 'suspended'"))
    with pytest.raises(LinkInvalid):
        await use(signing, link)


async def test_links_cannot_be_guessed_without_end(signing: SignIn) -> None:
    for number in range(31):
        with pytest.raises(LinkInvalid if number < 30 else TooManyAttempts):
            await use(signing, f"http://web?token={new_token()}")
