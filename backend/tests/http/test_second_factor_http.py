"""Two-factor sign-in, recovery codes, forgotten and changed passwords over HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.security.tokens import digest, new_token
from backend.tests.factories.users import PASSWORD
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Headers, bearer, link_token, mails, problem, signed_up
from backend.tests.turns import in_turns

EMAIL = "ada@example.com"
OTHER = "another password of many words"
STEP = timedelta(seconds=30)


@pytest.fixture
async def user(client: httpx.AsyncClient) -> Headers:
    return bearer((await signed_up(client, EMAIL))["access_token"])


async def post(
    client: httpx.AsyncClient, what: str, body: Any = None, headers: Headers | None = None
) -> httpx.Response:
    return await client.post(f"/v1/auth/{what}", json=body, headers=headers)


async def login(client: httpx.AsyncClient, password: str = PASSWORD, email: str = EMAIL) -> httpx.Response:
    return await post(client, "login", {"email": email, "password": password})


async def enabled(client: httpx.AsyncClient, clock: ManualClock, headers: Headers) -> tuple[pyotp.TOTP, list[str]]:
    """Turns two-factor sign-in on: the authenticator and the recovery codes. The code is used up."""
    begun = (await post(client, "2fa/enable-init", headers=headers)).json()
    codes = pyotp.TOTP(begun["secret"])
    body = {"challenge_id": begun["challenge_id"], "otp": codes.at(clock.now())}
    answer = await post(client, "2fa/enable-complete", body, headers)
    assert answer.status_code == 200, answer.text
    clock.advance(STEP)
    return codes, answer.json()["recovery_codes"]


async def challenge(client: httpx.AsyncClient) -> str:
    answer = await login(client)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"requires_2fa", "challenge_id"}
    assert answer.json()["requires_2fa"] is True
    return str(answer.json()["challenge_id"])


async def verify(client: httpx.AsyncClient, challenge_id: str, otp: str) -> httpx.Response:
    return await post(client, "2fa/verify", {"challenge_id": challenge_id, "otp": otp})


async def test_two_factors_from_the_set_up_to_the_sign_in(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers, database: Database
) -> None:
    begun = (await post(client, "2fa/enable-init", headers=user)).json()
    assert begun["otpauth_url"].startswith("otpauth://totp/Feature%20Platform:ada%40example.com?secret=")
    assert begun["qr_svg"].startswith("<svg")
    async with database.read() as session:
        stored = await session.scalar(text("SELECT secret FROM sign_in_challenges"))
    assert begun["secret"] not in stored
    assert (await login(client)).json()["access_token"], "it is not on before it is confirmed"

    codes, recovery = await enabled(client, clock, user)
    assert len(set(recovery)) == 10
    me = (await client.get("/v1/auth/me", headers=user)).json()
    assert (me["mfa_enabled"], me["recovery_codes_left"]) == (True, 10)
    assert (await mails(client, EMAIL))[0]["subject"] == "Two-factor sign-in is on"

    pair = await verify(client, await challenge(client), codes.at(clock.now()))
    assert pair.status_code == 200, pair.text
    assert (await client.get("/v1/auth/me", headers=bearer(pair.json()["access_token"]))).status_code == 200
    problem(await post(client, "2fa/enable-init", headers=user), 409, "second_factor_active")


async def test_a_code_is_good_once_and_for_a_step_before_and_after(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    codes, _ = await enabled(client, clock, user)
    code = codes.at(clock.now())
    assert (await verify(client, await challenge(client), code)).status_code == 200
    problem(await verify(client, await challenge(client), code), 401, "code_refused")
    clock.advance(STEP * 3)
    for offset, status in ((-2, 401), (2, 401), (-1, 200), (1, 200)):
        found = await verify(client, await challenge(client), codes.at(clock.now() + offset * STEP))
        assert found.status_code == status, offset


async def test_ten_codes_for_a_challenge_also_when_all_are_sent_at_once(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    codes, _ = await enabled(client, clock, user)
    opened = await challenge(client)
    answers = await in_turns(30, lambda: verify(client, opened, "000000"))
    counts = {status: sum(answer.status_code == status for answer in answers) for status in (401, 429)}
    assert counts == {401: 10, 429: 20}
    problem(await verify(client, opened, codes.at(clock.now())), 429, "too_many_attempts")
    assert (await verify(client, await challenge(client), codes.at(clock.now()))).status_code == 200


async def test_a_known_password_opens_no_endless_row_of_guesses(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    await enabled(client, clock, user)
    tried = 0
    for _ in range(15):
        answer = await login(client)
        if answer.status_code == 429:
            break
        for _ in range(10):
            tried += (await verify(client, answer.json()["challenge_id"], "000000")).status_code == 401
    assert answer.status_code == 429
    assert tried <= 20


@pytest.mark.parametrize("way", ["reset", "change"])
async def test_a_new_password_gives_the_guesses_of_codes_back(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers, way: str
) -> None:
    codes, _ = await enabled(client, clock, user)
    for _ in range(2):
        opened = await challenge(client)
        for _ in range(10):
            problem(await verify(client, opened, "000000"), 401, "code_refused")
    problem(await verify(client, await challenge(client), codes.at(clock.now())), 429, "too_many_attempts")
    if way == "reset":
        await post(client, "forgot-password", {"email": EMAIL})
        body = {"token": await link_token(client, EMAIL), "new_password": OTHER}
        assert (await post(client, "reset-password", body)).status_code == 200
    else:
        body = {"current_password": PASSWORD, "new_password": OTHER}
        assert (await post(client, "change-password", body, user)).status_code == 200
    opened = (await login(client, OTHER)).json()["challenge_id"]
    assert (await verify(client, opened, codes.at(clock.now()))).status_code == 200


async def test_links_that_were_sent_before_a_new_password_stop_working(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers, database: Database
) -> None:
    async def links() -> list[str]:
        """Of the three kinds, each made just now."""
        await post(client, "forgot-password", {"email": EMAIL})
        made = [await link_token(client, EMAIL)]
        async with database.system() as session:
            for table in ("sign_in_links", "email_verifications"):
                made.append(new_token())
                await session.execute(
                    text(
                        f"INSERT INTO {table} (id, user_id, token_hash, created_at, expires_at)"
                        " SELECT gen_random_uuid(), id, :hash, :now, :now + interval '1 hour' FROM users"
                    ),
                    {"hash": digest(made[-1]), "now": clock.now()},
                )
        return made

    async def refused(tokens: list[str]) -> None:
        problem(await post(client, "reset-password", {"token": tokens[0], "new_password": OTHER}), 400, "link_invalid")
        problem(await post(client, "sign-in-link", {"token": tokens[1]}), 400, "link_invalid")
        problem(await post(client, "verify-email", {"token": tokens[2]}), 400, "link_invalid")

    before = await links()
    body = {"current_password": PASSWORD, "new_password": OTHER}
    assert (await post(client, "change-password", body, user)).status_code == 200
    await refused(before)
    before = await links()
    assert (await post(client, "reset-password", {"token": before[0], "new_password": PASSWORD})).status_code == 200
    await refused(before)


@pytest.mark.parametrize("otp", ["", "1", "12345678", "abcdef", "१२३४५६", "0" * 64, "null"])
async def test_what_is_no_code_is_refused(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers, otp: str
) -> None:
    await enabled(client, clock, user)
    assert (await verify(client, await challenge(client), otp)).status_code in {401, 422}


async def test_a_challenge_is_good_once_for_five_minutes_and_for_its_purpose(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    begun = (await post(client, "2fa/enable-init", headers=user)).json()
    code = pyotp.TOTP(begun["secret"]).at(clock.now())
    problem(await verify(client, begun["challenge_id"], code), 401, "challenge_invalid")
    codes, _ = await enabled(client, clock, user)
    late, used = await challenge(client), await challenge(client)
    assert (await verify(client, used, codes.at(clock.now()))).status_code == 200
    clock.advance(STEP)
    problem(await verify(client, used, codes.at(clock.now())), 401, "challenge_invalid")
    clock.advance(timedelta(minutes=5))
    problem(await verify(client, late, codes.at(clock.now())), 401, "challenge_invalid")
    problem(await verify(client, "x" * 43, codes.at(clock.now())), 401, "challenge_invalid")


async def test_the_set_up_of_another_cannot_be_confirmed(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    other = bearer((await signed_up(client, "eve@example.com"))["access_token"])
    theirs = (await post(client, "2fa/enable-init", headers=other)).json()
    otp = pyotp.TOTP(theirs["secret"]).at(clock.now())
    answers = [
        await post(client, "2fa/enable-complete", {"challenge_id": each, "otp": otp}, user)
        for each in (theirs["challenge_id"], "x" * 43)
    ]
    first, second = (problem(answer, 400, "proof_refused") for answer in answers)
    assert first["detail"] == second["detail"]
    assert (await login(client)).json()["access_token"]


async def test_a_recovery_code_is_good_once_however_it_is_written(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    _, recovery = await enabled(client, clock, user)

    async def recover(code: str) -> httpx.Response:
        body = {"challenge_id": await challenge(client), "recovery_code": code}
        return await post(client, "recovery-login", body)

    pair = await recover(recovery[0].replace("-", " ").lower())
    assert pair.status_code == 200, pair.text
    me = (await client.get("/v1/auth/me", headers=bearer(pair.json()["access_token"]))).json()
    assert me["recovery_codes_left"] == 9
    problem(await recover(recovery[0]), 401, "code_refused")
    answers = await asyncio.gather(*(recover(recovery[1]) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


@pytest.mark.parametrize("proof", ["password", "otp", "recovery_code"])
async def test_it_is_turned_off_with_one_fresh_proof(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers, proof: str
) -> None:
    codes, recovery = await enabled(client, clock, user)
    good = {"password": PASSWORD, "otp": codes.at(clock.now()), "recovery_code": recovery[0]}
    bad = {"password": OTHER, "otp": "000000", "recovery_code": "AAAA-AAAA-AAAA-AAAA"}
    problem(await post(client, "2fa/disable", {}, user), 422, "invalid_input")
    problem(await post(client, "2fa/disable", good, user), 422, "invalid_input")
    problem(await post(client, "2fa/disable", {proof: bad[proof]}, user), 400, "proof_refused")
    assert (await post(client, "2fa/disable", {proof: good[proof]}, user)).status_code == 200
    assert (await login(client)).json()["access_token"]
    problem(await post(client, "2fa/disable", {"password": PASSWORD}, user), 409, "second_factor_missing")
    again, _ = await enabled(client, clock, user)
    assert again.secret != codes.secret


async def test_an_old_sign_in_needs_the_password_to_turn_it_on(
    client: httpx.AsyncClient, clock: ManualClock, database: Database
) -> None:
    pair = await signed_up(client, EMAIL)
    clock.advance(timedelta(minutes=15))
    pair = (await post(client, "refresh", {"refresh_token": pair["refresh_token"]})).json()
    user = bearer(pair["access_token"])
    assert (await post(client, "2fa/enable-init", headers=user)).status_code == 200
    clock.advance(timedelta(seconds=1))
    refused = problem(await post(client, "2fa/enable-init", {}, user), 403, "proof_needed")
    assert "current_password" in refused["detail"]
    problem(await post(client, "2fa/enable-init", headers=user), 403, "proof_needed")
    problem(await post(client, "2fa/enable-init", {"current_password": OTHER}, user), 400, "proof_refused")
    assert (await client.get("/v1/auth/me", headers=user)).status_code == 200, "the session goes on"
    begun = await post(client, "2fa/enable-init", {"current_password": PASSWORD}, user)
    assert begun.status_code == 200, begun.text
    async with database.system() as session:
        await session.execute(text("UPDATE users SET password_hash = NULL"))
    assert (await post(client, "2fa/enable-init", headers=user)).status_code == 200, "there is no password to ask for"


async def test_recovery_codes_are_renewed_with_one_fresh_proof(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    async def renew(body: dict[str, Any]) -> httpx.Response:
        return await post(client, "2fa/recovery-codes", body, user)

    problem(await renew({"current_password": PASSWORD}), 409, "second_factor_missing")
    codes, first = await enabled(client, clock, user)
    for unclear in ({}, {"otp": codes.at(clock.now()), "current_password": PASSWORD}):
        problem(await renew(unclear), 422, "invalid_input")
    problem(await renew({"recovery_code": first[0]}), 422, "invalid_input")
    problem(await renew({"otp": "000000"}), 400, "proof_refused")
    problem(await renew({"current_password": OTHER}), 400, "proof_refused")
    second = (await renew({"otp": codes.at(clock.now())})).json()["recovery_codes"]
    assert (await mails(client, EMAIL))[0]["subject"] == "You have new recovery codes"
    third = (await renew({"current_password": PASSWORD})).json()["recovery_codes"]
    assert len({*first, *second, *third}) == 30
    for old in (first[0], second[0]):
        body = {"challenge_id": await challenge(client), "recovery_code": old}
        problem(await post(client, "recovery-login", body), 401, "code_refused")
    body = {"challenge_id": await challenge(client), "recovery_code": third[0]}
    assert (await post(client, "recovery-login", body)).status_code == 200


async def test_a_sign_in_by_recovery_code_is_told_by_mail(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    _, recovery = await enabled(client, clock, user)
    for wanted, found in ((recovery[0], 200), (recovery[0], 401)):
        body = {"challenge_id": await challenge(client), "recovery_code": wanted}
        assert (await post(client, "recovery-login", body)).status_code == found
    told = [mail for mail in await mails(client, EMAIL) if mail["subject"] == "A recovery code was used to sign in"]
    assert len(told) == 1
    assert "9 of 10 are left" in told[0]["text"]


async def test_a_password_that_says_nothing_new_or_the_address_is_refused_by_its_reason(
    client: httpx.AsyncClient, user: Headers
) -> None:
    same = {"current_password": PASSWORD, "new_password": PASSWORD}
    refused = problem(await post(client, "change-password", same, user), 422, "invalid_input")
    assert refused["detail"] == "new_password: this is your present password. Choose another."
    address = {"current_password": PASSWORD, "new_password": EMAIL.upper()}
    refused = problem(await post(client, "change-password", address, user), 422, "invalid_input")
    assert "the address itself" in refused["detail"]


async def test_a_stolen_session_cannot_guess_proofs(client: httpx.AsyncClient, user: Headers) -> None:
    body = {"current_password": OTHER, "new_password": "a password of the thief"}
    answers = await asyncio.gather(*(post(client, "change-password", body, user) for _ in range(14)))
    assert sorted(answer.status_code for answer in answers) == [400] * 10 + [429] * 4


async def test_a_changed_password_signs_everybody_else_out(client: httpx.AsyncClient, user: Headers) -> None:
    pair = (await login(client)).json()
    body = {"current_password": PASSWORD, "new_password": "short"}
    problem(await post(client, "change-password", body, user), 422, "invalid_input")
    problem(await post(client, "change-password", {"new_password": OTHER}, user), 400, "proof_refused")
    assert (await post(client, "change-password", {**body, "new_password": OTHER}, user)).status_code == 200
    assert (await client.get("/v1/auth/me", headers=user)).status_code == 200
    problem(await client.get("/v1/auth/me", headers=bearer(pair["access_token"])), 401, "unauthenticated")
    problem(await post(client, "refresh", {"refresh_token": pair["refresh_token"]}), 401, "refresh_refused")
    problem(await login(client), 401, "invalid_credentials")
    assert (await login(client, OTHER)).status_code == 200
    assert (await mails(client, EMAIL))[0]["subject"] == "Your password was changed"


async def forgotten(client: httpx.AsyncClient, email: str = EMAIL) -> httpx.Response:
    return await post(client, "forgot-password", {"email": email})


async def test_a_forgotten_password_is_chosen_anew_once_and_signs_out_everywhere(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    codes, _ = await enabled(client, clock, user)
    pending = await challenge(client)
    known, unknown = await forgotten(client), await forgotten(client, "nobody@example.com")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, unknown.content)
    assert await mails(client, "nobody@example.com") == []
    old = await link_token(client, EMAIL)
    await forgotten(client)
    token = await link_token(client, EMAIL)
    reset = {"token": token, "new_password": OTHER}
    problem(await post(client, "reset-password", {**reset, "token": old}), 400, "link_invalid")
    problem(await post(client, "reset-password", {**reset, "new_password": "password123456"}), 422, "invalid_input")
    answers = await asyncio.gather(*(post(client, "reset-password", reset) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 4
    problem(await client.get("/v1/auth/me", headers=user), 401, "unauthenticated")
    problem(await verify(client, pending, codes.at(clock.now())), 401, "challenge_invalid")
    problem(await login(client), 401, "invalid_credentials")
    assert (await login(client, OTHER)).json()["requires_2fa"] is True, "the second factor stays"


async def test_a_reset_link_is_good_for_an_hour_and_three_are_sent(
    client: httpx.AsyncClient, clock: ManualClock, user: Headers
) -> None:
    for _ in range(3):
        assert (await forgotten(client)).status_code == 202
    refused = problem(await forgotten(client, EMAIL.upper()), 429, "too_many_attempts")
    assert refused["retry_after"] > 0
    clock.advance(timedelta(hours=1))
    body = {"token": await link_token(client, EMAIL), "new_password": OTHER}
    problem(await post(client, "reset-password", body), 400, "link_invalid")
    problem(await post(client, "reset-password", {**body, "token": "x" * 43}), 400, "link_invalid")


async def test_a_reset_lets_in_who_was_locked_out_by_guesses(client: httpx.AsyncClient, user: Headers) -> None:
    for _ in range(10):
        await login(client, "a guess of somebody else")
    assert (await login(client)).status_code == 429
    await forgotten(client)
    await post(client, "reset-password", {"token": await link_token(client, EMAIL), "new_password": OTHER})
    assert (await login(client, OTHER)).status_code == 200


async def test_a_reset_confirms_an_address_that_was_not(client: httpx.AsyncClient) -> None:
    await post(client, "register", {"email": EMAIL, "password": PASSWORD})
    verification = await link_token(client, EMAIL)
    await forgotten(client)
    await post(client, "reset-password", {"token": await link_token(client, EMAIL), "new_password": OTHER})
    problem(await post(client, "verify-email", {"token": verification}), 400, "link_invalid")
    assert (await login(client, OTHER)).status_code == 200


async def test_a_profile_changes_what_it_names_and_nothing_else(client: httpx.AsyncClient, user: Headers) -> None:
    async def change(body: dict[str, Any]) -> httpx.Response:
        return await client.patch("/v1/auth/me", json=body, headers=user)

    first = {"name": " Ada ", "display_zone": "Asia/Kolkata", "language": "en", "theme": "dark"}
    assert (await change(first)).json() == {**first, "name": "Ada"}
    assert (await change({"theme": None})).json() == {**first, "name": "Ada", "theme": None}
    assert (await change({})).json()["name"] == "Ada"
    for body in (
        {"display_zone": "Mars/Olympus"},
        {"theme": "blue"},
        {"language": "english please"},
        {"name": "  "},
        {"name": ""},
        {"email": "eve@example.com"},
        {"role": "admin"},
        {"is_superadmin": True},
        {"plan_id": "enterprise"},
        {"status": "active"},
    ):
        problem(await change(body), 422, "invalid_input")
    me = (await client.get("/v1/auth/me", headers=user)).json()
    assert (me["name"], me["display_zone"], me["theme"], me["roles"]) == ("Ada", "Asia/Kolkata", None, [])


async def test_all_other_sessions_end_at_once(client: httpx.AsyncClient, user: Headers) -> None:
    pairs = [(await login(client)).json() for _ in range(3)]
    assert (await client.delete("/v1/auth/sessions", headers=user)).json() == {"ended_count": 3}
    for pair in pairs:
        problem(await client.get("/v1/auth/me", headers=bearer(pair["access_token"])), 401, "unauthenticated")
    assert len((await client.get("/v1/auth/sessions", headers=user)).json()["items"]) == 1
