"""The customer's rooms in Chromium: two factors, recovery, reset, sessions, settings, plans, limits, account switch."""

import re
import time
from datetime import UTC, datetime

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product, newest_link
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview, picture

pytestmark = pytest.mark.browser

OTHER = "another password of many words"


def code(codes: pyotp.TOTP, step: int = 0) -> str:
    return codes.at(int(datetime.now(UTC).timestamp()) + step * 30)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def turn_on(page: Page) -> tuple[pyotp.TOTP, list[str]]:
    """Two-factor sign-in by a computed code: the authenticator and the recovery codes."""
    page.goto(f"{WEB}/app/settings/security")
    page.get_by_role("button", name="Set up two-factor sign-in").click()
    expect(page.get_by_role("img", name="QR code of the key")).to_be_visible()
    looked_at(page, "second-factor", dark=True)
    secret = page.get_by_text(re.compile("^Key: ")).inner_text().removeprefix("Key: ").replace(" ", "")
    codes = pyotp.TOTP(secret)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Enter the six digits")).to_be_visible()
    field = page.get_by_label("Code", exact=False).first
    field.fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    field.fill(code(codes))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Keep these recovery codes")).to_be_visible()
    looked_at(page, "recovery-codes")
    recovery = page.get_by_role("listitem").filter(has_text=re.compile("^[A-Z2-7]{4}-")).all_inner_texts()
    assert len(recovery) == 10
    expect(page.get_by_role("button", name="Done")).to_be_disabled()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    return codes, recovery


def test_two_factors_recovery_reset_and_sessions(page: Page, client: httpx.Client) -> None:
    email = "hedy@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    codes, recovery = turn_on(page)
    sign_out(page)

    # A wrong code, then the next one: the one that turned it on is used up.
    log_in(page, email)
    expect(page).to_have_url(f"{WEB}/mfa")
    looked_at(page, "mfa")
    page.get_by_label("Code", exact=False).first.fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("not right", exact=False)).to_be_visible()
    picture(page, "mfa-refused")
    page.get_by_label("Code", exact=False).first.fill(code(codes, step=1))
    page.get_by_role("button", name="Sign in").click()
    overview(page)
    sign_out(page)

    # The authenticator is lost.
    log_in(page, email)
    page.get_by_role("button", name="Use a recovery code").click()
    looked_at(page, "mfa-recovery")
    page.get_by_role("textbox").first.fill(recovery[0].lower())
    page.get_by_role("button", name="Sign in").click()
    overview(page)
    page.goto(f"{WEB}/app/settings/security")
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()
    looked_at(page, "security", dark=True)
    told = [mail["subject"] for mail in client.get("/dev/mail", params={"to": email}).json()["items"]]
    assert "A recovery code was used to sign in" in told

    # Ten new ones, for the password or a code.
    page.get_by_role("button", name="Get new recovery codes").click()
    page.get_by_role("button", name="Use a code from the authenticator app instead").click()
    looked_at(page, "recovery-codes-proof", dark=True)
    page.get_by_role("button", name="Use your password instead").click()
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Get new recovery codes").click()
    expect(page.get_by_text("Keep these recovery codes")).to_be_visible()
    recovery = page.get_by_role("listitem").filter(has_text=re.compile("^[A-Z2-7]{4}-")).all_inner_texts()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()

    # The password is forgotten, too; this browser is signed out by the reset.
    forgetting = page.context.browser
    assert forgetting is not None
    elsewhere = forgetting.new_context(locale="en-GB").new_page()
    elsewhere.goto(f"{WEB}/login")
    elsewhere.get_by_role("link", name="Forgot your password?").click()
    looked_at(elsewhere, "forgot")
    elsewhere.get_by_label("E-mail address").fill(email)
    elsewhere.get_by_role("button").filter(has_text=re.compile("link", re.IGNORECASE)).click()
    expect(elsewhere.get_by_role("heading", name="Check your mail")).to_be_visible()
    looked_at(elsewhere, "forgot-sent")
    link = newest_link(client, email)
    assert link.startswith(f"{WEB}/reset?token=")
    elsewhere.goto(link)
    looked_at(elsewhere, "reset")
    elsewhere.get_by_role("textbox").first.fill(OTHER)
    elsewhere.get_by_role("button").filter(has_text=re.compile("password", re.IGNORECASE)).last.click()
    expect(elsewhere.get_by_text("signed out everywhere", exact=False)).to_be_visible()
    looked_at(elsewhere, "reset-done")
    elsewhere.goto(link)
    elsewhere.get_by_role("textbox").first.fill(OTHER)
    elsewhere.get_by_role("button").filter(has_text=re.compile("password", re.IGNORECASE)).last.click()
    expect(elsewhere.get_by_text("only the newest one works", exact=False)).to_be_visible()
    looked_at(elsewhere, "reset-used")
    elsewhere.context.close()
    page.reload()
    expect(page.get_by_text("You were signed out")).to_be_visible()
    log_in(page, email, OTHER)
    page.get_by_role("button", name="Use a recovery code").click()
    page.get_by_role("textbox").first.fill(recovery[1])
    page.get_by_role("button", name="Sign in").click()
    overview(page)


def test_sessions_are_ended_and_the_password_is_changed(page: Page, client: httpx.Client) -> None:
    email = "linus@example.com"
    confirmed(client, email)
    body = {"email": email, "password": PASSWORD}
    tokens = [client.post("/v1/auth/login", json=body).json()["access_token"] for _ in range(3)]

    def status(token: str) -> int:
        return client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code

    log_in(page, email)
    overview(page)
    page.goto(f"{WEB}/app/settings/security")
    ends = page.get_by_role("button", name=re.compile("^End the session"))
    expect(ends).to_have_count(3)
    looked_at(page, "sessions")
    ends.first.click()
    expect(ends).to_have_count(2)
    assert sorted(map(status, tokens)) == [200, 200, 401]
    page.get_by_role("button", name="End all others").click()
    expect(page.get_by_text("2 sessions ended.")).to_be_visible()
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    assert set(map(status, tokens)) == {401}

    page.get_by_label("Current password").fill("not the password of it")
    page.get_by_label("New password").fill(OTHER)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("This is not your current password.")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.", exact=False)).to_be_visible()
    assert client.post("/v1/auth/login", json=body).status_code == 401
    page.reload()
    expect(page.get_by_role("heading", name="Security", exact=True)).to_be_visible()


def test_profile_and_preferences_are_kept(page: Page, client: httpx.Client) -> None:
    email = "mary@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.get_by_role("link", name="Settings").click()
    expect(page).to_have_url(f"{WEB}/app/settings/profile")
    page.get_by_label("Name", exact=True).first.fill("Mary")
    zone = page.get_by_role("combobox", name="Time zone for display")
    zone.click()
    zone.fill("Tokyo")
    page.get_by_role("option").filter(has_text=re.compile("Tokyo")).first.click()
    page.get_by_role("button", name="Save profile").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    looked_at(page, "profile", dark=True)
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_text(re.compile("Tokyo")).first).to_be_visible()
    page.goto(f"{WEB}/app/settings/preferences")
    page.get_by_role("main").get_by_role("radio", name="Dark").check()
    page.get_by_role("button", name="Save preferences").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    looked_at(page, "preferences")
    fresh = page.context.browser
    assert fresh is not None
    other = fresh.new_context(locale="en-GB").new_page()
    log_in(other, email)
    overview(other)
    expect(other.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    other.context.close()


def test_plans_limits_and_prices_say_what_holds_for_the_reader(
    page: Page, product: Product, client: httpx.Client
) -> None:
    page.goto(f"{WEB}/pricing")
    expect(page.get_by_role("columnheader", name=re.compile("Enterprise"))).to_be_visible()
    expect(page.get_by_role("link", name="Start with Free Plan")).to_be_visible()
    looked_at(page, "pricing", dark=True)
    email = "joan@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.get_by_role("link", name="Plans").click()
    expect(page.get_by_text("Your plan", exact=True)).to_be_visible()
    expect(page.get_by_text("Ask whoever runs this service to move you to Pro Plan.")).to_be_visible()
    looked_at(page, "plans")
    product.feature("user", "set-plan", email, "pro")
    page.get_by_role("link", name="Limits").click()
    expect(page.get_by_text("500 in 60 seconds, 500 at once")).to_be_visible()
    expect(page.get_by_role("meter", name="Jobs")).to_be_visible()
    looked_at(page, "limits", dark=True)


def test_usage_is_shown_now_over_time_and_by_key_and_is_taken_along(page: Page, client: httpx.Client) -> None:
    email = "katherine@example.com"
    confirmed(client, email)
    token = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 3}, headers=headers).status_code == 200
    log_in(page, email)
    overview(page)
    page.get_by_role("link", name="Usage", exact=True).click()
    expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    expect(page.get_by_role("meter", name="Storage")).to_be_visible()
    looked_at(page, "usage", dark=True)
    page.get_by_role("link", name="Jobs", exact=True).click()
    days = page.get_by_role("table", name="Jobs, last 28 days")
    expect(days.get_by_role("row")).to_have_count(1 + 28 + 1)
    expect(days.get_by_role("row", name=re.compile("so far 3$"))).to_be_visible()
    page.get_by_text("24 hours", exact=True).click()
    expect(page.get_by_role("table", name="Jobs, last 24 hours").get_by_role("row")).to_have_count(1 + 24 + 1)
    page.get_by_role("switch", name="By key").click()
    expect(page.get_by_role("row", name="Without a key 3")).to_be_visible()
    expect(page).to_have_url(f"{WEB}/app/usage/jobs?period=24h&by=key")
    page.reload()
    expect(page.get_by_role("row", name="Without a key 3")).to_be_visible()
    looked_at(page, "usage-meter", dark=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "usage-jobs-24h.csv"
    assert len(download.value.path().read_text().splitlines()) == 2
    page.goto(f"{WEB}/app/usage/storage?period=12m")
    expect(page.get_by_role("table", name="Storage, last 12 months").get_by_role("row")).to_have_count(1 + 12)
    page.goto(f"{WEB}/app/usage/nothing")
    expect(page.get_by_role("heading", name="There is no such meter")).to_be_visible()
    looked_at(page, "usage-unknown")


def test_notices_of_usage_come_by_mail_and_on_every_page(page: Page, client: httpx.Client) -> None:
    email = "hilda@example.com"
    confirmed(client, email)
    token = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    def spend(amount: int) -> None:
        spent = client.post("/v1/usage/consume", json={"meter": "jobs", "amount": amount}, headers=headers)
        assert spent.status_code == 200

    def told(number: int) -> list[str]:
        """The subjects of the mails, once there are so many besides the one that confirmed the address."""
        deadline = time.monotonic() + 20
        while True:
            subjects = [item["subject"] for item in client.get("/dev/mail", params={"to": email}).json()["items"]]
            if len(subjects) > number or time.monotonic() > deadline:
                return subjects[:number]
            time.sleep(0.2)

    spend(8)
    assert told(1) == ["80 % of your jobs are used"]
    log_in(page, email)
    overview(page)
    near = page.get_by_role("status").filter(has_text="Jobs: 80\u00a0% used")
    expect(near).to_contain_text("8 of 10. At the limit, more is refused until the count resets")
    looked_at(page, "notice-near", dark=True)
    near.get_by_role("button", name="Close").click()
    expect(near).to_have_count(0)
    spend(2)
    assert told(2) == ["All of your jobs are used", "80 % of your jobs are used"]
    (newest, *_) = client.get("/dev/mail", params={"to": email}).json()["items"]
    assert "Jobs: 10 of 10 are used on the Free Plan." in newest["text"]
    assert newest["links"] == [f"{WEB}/app/usage"]
    page.goto(f"{WEB}/app/settings/profile")
    full = page.get_by_role("status").filter(has_text=re.compile(r"^Jobs: more has been refused since \d\d:\d\d"))
    expect(full).to_contain_text("10 of 10. The count resets")
    looked_at(page, "notice-full", dark=True)
    full.get_by_role("link", name="See plans").click()
    expect(page).to_have_url(f"{WEB}/app/plans")
    refused = client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1}, headers=headers)
    assert refused.status_code == 402
    page.goto(newest["links"][0])
    expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    looked_at(page, "notice-usage")


def test_a_portal_link_opens_rooms_and_a_member_switches_accounts(
    page: Page, product: Product, client: httpx.Client
) -> None:
    key = product.feature("key", "create", "host", "--service", "--scope", "accounts:create").split()[0]
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {key}"}) as host:
        assert host.put("/v1/accounts/acme", json={"name": "Acme Ltd"}).status_code == 200
        product.feature("account", "set-plan", "external:acme", "pro")
        page.goto(host.post("/v1/accounts/acme/portal-session").json()["url"])
        overview(page)
        expect(page.get_by_text("Pro Plan").first).to_be_visible()
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_text("Your sign-in belongs to the application")).to_be_visible()
        expect(page.get_by_role("region", name="This account")).to_contain_text("Acme Ltd")
        looked_at(page, "portal-settings")
        used = page.context.browser
        assert used is not None
        other = used.new_context(locale="en-GB").new_page()
        link = host.post("/v1/accounts/acme/portal-session").json()["url"]
        for said in ("Overview", "Open your account"):
            other.goto(link)
            expect(other.get_by_role("heading", name=said, exact=True)).to_be_visible()
            other.context.clear_cookies()
        looked_at(other, "portal-used")
        other.context.close()
        sign_out(page)

        email = "barbara@example.com"
        confirmed(client, email)
        tokens = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
        me = client.get("/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
        assert host.put(f"/v1/accounts/acme/members/{me['id']}", json={"role": "developer"}).status_code == 200
        log_in(page, email)
        overview(page)
        expect(page.get_by_text("Free Plan").first).to_be_visible()
        page.get_by_role("button", name=re.compile("^Account")).click()
        looked_at(page, "account-menu", dark=True)
        page.get_by_title("Acme Ltd").click()
        expect(page.get_by_text("Pro Plan").first).to_be_visible()
        looked_at(page, "account-switch")
        page.reload()
        expect(page.get_by_text("Pro Plan").first).to_be_visible()
        # Taken out of the account: back to the own one, not signed out.
        assert host.delete(f"/v1/accounts/acme/members/{me['id']}").status_code == 200
        spent = client.get("/v1/subscription/usage", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        page.get_by_role("button", name="Spend one job").click()
        expect(page.get_by_text("You are no longer a member of Acme Ltd")).to_be_visible()
        expect(page.get_by_text(f"You act for {email} now.", exact=False)).to_be_visible()
        expect(page.get_by_text("Free Plan").first).to_be_visible()
        looked_at(page, "account-lost", dark=True)
        now = client.get("/v1/subscription/usage", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert now.json()["usage"]["jobs_created"] == spent.json()["usage"]["jobs_created"] == 0
