"""How one gets in, is put out and goes on in Chromium: deep links, ended sessions, sign-out, no network, roles."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser


def fill_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_session_that_is_ended_elsewhere_is_told_and_gone_on_with(page: Page, client: httpx.Client) -> None:
    email = "radia@example.com"
    confirmed(client, email)
    page.goto(f"{WEB}/app/limits")
    expect(page).to_have_url(f"{WEB}/login?next=%2Fapp%2Flimits")
    expect(page.get_by_text("You were signed out")).to_have_count(0)
    fill_in(page, email)
    expect(page).to_have_url(f"{WEB}/app/limits")
    expect(page.get_by_role("heading", name="Limits", exact=True)).to_be_visible()
    token = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()["access_token"]
    assert client.delete("/v1/auth/sessions", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    page.get_by_role("link", name="Plans", exact=True).click()
    expect(page.get_by_text("You were signed out")).to_be_visible()
    looked_at(page, "signed-out-elsewhere", dark=True)
    fill_in(page, email)
    expect(page.get_by_role("heading", name="Plans", exact=True)).to_be_visible()


def test_a_sign_out_holds_without_an_answer(page: Page, client: httpx.Client) -> None:
    email = "frances@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.route("**/v1/auth/logout", lambda route: route.abort())
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out in this browser")).to_be_visible()
    looked_at(page, "sign-out-unconfirmed", dark=True)
    page.goto(f"{WEB}/app")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    page.unroute("**/v1/auth/logout")
    page.goto(f"{WEB}/app")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_text("You are signed out in this browser")).to_have_count(0)
    tokens = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    sessions = client.get("/v1/auth/sessions", headers=headers).json()["items"]
    assert [session["is_current"] for session in sessions] == [True]


def test_without_a_network_the_page_says_so_and_goes_on_by_itself(page: Page, client: httpx.Client) -> None:
    email = "evelyn@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    jobs = page.get_by_role("meter", name="Jobs")
    expect(jobs).to_have_attribute("aria-valuenow", "0")
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    expect(page.get_by_text("Limits still apply", exact=False).first).to_be_visible()
    looked_at(page, "offline", dark=True)
    token = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()["access_token"]
    body = {"meter": "jobs", "amount": 3}
    assert client.post("/v1/usage/consume", json=body, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    page.context.set_offline(False)
    expect(page.get_by_text("You are offline")).to_have_count(0)
    expect(jobs).to_have_attribute("aria-valuenow", "3")


def test_a_viewer_learns_who_can_let_them_spend(page: Page, product: Product, client: httpx.Client) -> None:
    key = product.feature("key", "create", "host-of-viewers", "--service", "--scope", "accounts:create").split()[0]
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {key}"}) as host:
        assert host.put("/v1/accounts/viewed", json={"name": "Viewed Ltd"}).status_code == 200
        assert host.put("/v1/accounts/viewed/members/v-1", json={"role": "viewer"}).status_code == 200
        page.goto(host.post("/v1/accounts/viewed/portal-session", json={"subject": "v-1"}).json()["url"])
    overview(page)
    expect(page.get_by_text("An owner or admin of Viewed Ltd can give you another one.", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name="Spend one job")).to_be_disabled()
    looked_at(page, "viewer", dark=True)


def test_an_address_without_a_page_knows_who_is_signed_in(page: Page, client: httpx.Client) -> None:
    page.goto(f"{WEB}/nowhere")
    expect(page.get_by_role("link", name="Go to sign-in")).to_be_visible()
    email = "karen@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.goto(f"{WEB}/nowhere")
    expect(page.get_by_role("link", name="Go to the overview")).to_be_visible()


def test_the_reference_needs_no_internet(page: Page) -> None:
    page.route(re.compile(r"^https?://(?!localhost)"), lambda route: route.abort())
    for origin in (API, WEB):
        page.goto(f"{origin}/docs")
        expect(page.get_by_text("/v1/usage/consume").first).to_be_visible()
