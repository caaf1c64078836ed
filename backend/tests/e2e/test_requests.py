"""Refused requests in Chromium: a customer finds a refusal, and reads why, by which numbers, and what helps."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import WEB, Product, signed_in
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser

# A refusal can be read within two seconds.
SOON = 8_000
SCRIPT = "<img src=x onerror='window.hit = true'>"


def boss(product: Product, client: httpx.Client, email: str) -> dict[str, str]:
    """Somebody who may everything."""
    confirmed(client, email)
    product.feature("user", "set-superadmin", email)
    tokens = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_a_refusal_is_found_and_explained_then_and_now(page: Page, product: Product, client: httpx.Client) -> None:
    email = "ada.requests@example.com"
    with signed_in(client, email, PASSWORD) as user:
        me = user.get("/v1/auth/me").json()["id"]
        given = {"meter": "jobs", "kind": "add", "amount": 5, "reason": SCRIPT}
        operator = boss(product, client, "boss.requests@example.com")
        made = client.post(f"/v1/admin/users/{me}/overrides", json=given, headers=operator)
        assert made.status_code == 201, made.text

        log_in(page, email)
        overview(page)
        page.get_by_role("link", name="Requests").click()
        expect(page.get_by_text("Nothing was refused. When a limit stops", exact=False)).to_be_visible()
        looked_at(page, "requests-empty", dark=True)

        # How the limit comes about.
        page.get_by_role("link", name="Usage", exact=True).click()
        expect(page.get_by_text("10 + 5 = 15")).to_be_visible()
        expect(page.get_by_text(SCRIPT)).to_be_visible()
        expect(page.get_by_role("meter", name="Jobs")).to_have_attribute("aria-valuetext", re.compile(r"^0 of 15 used"))
        looked_at(page, "usage-override", dark=True)
        page.get_by_role("link", name="Jobs", exact=True).click()
        expect(page.get_by_text("5 more until it is taken back:")).to_be_visible()

        assert user.post("/v1/usage/consume", json={"meter": "jobs", "amount": 14}).status_code == 200
        for _ in range(3):
            refused = user.post("/v1/usage/consume", json={"meter": "jobs", "amount": 4})
            assert refused.status_code == 402
        storage = user.post("/v1/usage/consume", json={"meter": "storage", "amount": 900_000_000})
        assert storage.status_code == 402

        page.get_by_role("link", name="Requests").click()
        table = page.get_by_role("table", name="Refused requests, newest first")
        jobs = table.get_by_role("row").filter(has_text="Jobs: the limit is reached")
        expect(jobs.first).to_be_visible(timeout=SOON)
        expect(jobs.first).to_contain_text("14 of 15 used · 4 asked")
        expect(table.get_by_role("row").filter(has_text="Storage: the limit is reached")).to_be_visible(timeout=SOON)
        looked_at(page, "requests", dark=True)
        page.get_by_label("Meter").select_option("Storage")
        expect(page).to_have_url(f"{WEB}/app/requests?meter=storage")
        expect(jobs).to_have_count(0)
        page.go_back()
        expect(jobs.first).to_be_visible()

        # By the id that the answer says.
        page.get_by_label("Request or decision id").fill(refused.json()["request_id"])
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("heading", name="Why was this denied?")).to_be_visible()
        quota = page.get_by_role("row").filter(has_text="plan 10 + override 5 = 15; used 14; asked 4")
        expect(quota).to_contain_text("FAIL")
        expect(page.get_by_role("row").filter(has_text="Credential")).to_contain_text("pass")
        then_now = page.get_by_role("table", name="The numbers as of then beside those of now")
        expect(then_now.get_by_role("row", name="Used 14 14")).to_be_visible()
        helps = page.get_by_role("region", name="What helps")
        expect(helps.get_by_text(re.compile(r"^Wait until "))).to_be_visible()
        expect(helps.get_by_text("Move to Pro Plan.")).to_be_visible()
        looked_at(page, "why", dark=True)

        # After an upgrade the same request would be allowed; what it was stays as it was.
        product.feature("user", "set-plan", email, "pro")
        page.reload()
        expect(page.get_by_text("Nothing is needed: the same request would be allowed now.")).to_be_visible()
        expect(then_now.get_by_role("row", name="Limit 15 505")).to_be_visible()
        expect(quota).to_contain_text("FAIL")
        looked_at(page, "why-allowed")

        page.goto(f"{WEB}/app/requests/nothing-like-this")
        expect(page.get_by_text("There is no such refusal")).to_be_visible(timeout=SOON)
        looked_at(page, "why-unknown")
    assert page.evaluate("'hit' in window") is False


def test_a_refusal_leads_to_its_reason_from_where_it_happened(page: Page, client: httpx.Client) -> None:
    email = "alan.requests@example.com"
    with signed_in(client, email, PASSWORD) as user:
        assert user.post("/v1/usage/consume", json={"meter": "jobs", "amount": 10}).status_code == 200
        log_in(page, email)
        overview(page)
        page.get_by_role("button", name="Spend one job").click()
        page.get_by_role("link", name="See rule by rule why").click()
        expect(page.get_by_role("heading", name="Why was this denied?")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="limit 10; used 10; asked 1")).to_contain_text(
            "FAIL", timeout=SOON
        )
        address = page.url
        page.get_by_role("link", name="Live", exact=True).click()
        why = page.get_by_role("link", name=re.compile("^Why\\? Refused · Jobs"))
        expect(why).to_be_visible(timeout=SOON)
        why.click()
        expect(page).to_have_url(address)

    # Another customer's is as unknown as one that does not exist.
    page.context.clear_cookies()
    confirmed(client, "eve.requests@example.com")
    log_in(page, "eve.requests@example.com")
    overview(page)
    page.goto(address)
    expect(page.get_by_text("There is no such refusal")).to_be_visible(timeout=SOON)
