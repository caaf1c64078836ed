"""The rooms from which operators watch, in Chromium: audit log, live view, health."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import WEB, Product, signed_in
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser

SOON = 8_000
SCRIPT = "<script>window.hit = true</script><img src=x onerror='window.hit = true'>"


def opened(page: Page, product: Product, client: httpx.Client, email: str) -> dict[str, str]:
    """A superadmin who is signed in, here and as a program."""
    confirmed(client, email)
    product.feature("user", "set-superadmin", email)
    log_in(page, email)
    overview(page)
    tokens = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_what_was_done_is_looked_up_opened_and_taken_along(page: Page, product: Product, client: httpx.Client) -> None:
    operator = opened(page, product, client, "root.audit@example.com")
    with signed_in(client, "ada.audit@example.com", PASSWORD) as user:
        target = user.get("/v1/auth/me").json()["id"]
    locked = client.post(f"/v1/admin/users/{target}/lock", json={"reason": SCRIPT}, headers=operator)
    assert locked.status_code == 200
    page.goto(f"{WEB}/admin/audit")
    expect(page.get_by_role("heading", name="Audit log", exact=True)).to_be_visible()
    page.get_by_label("To", exact=True).fill(target)
    page.get_by_label("Act", exact=True).fill("user.")
    page.get_by_role("button", name="Show these acts").click()
    expect(page).to_have_url(f"{WEB}/admin/audit?action=user.&target={target}")
    expect(page.get_by_role("button", name=re.compile("^Open "))).to_have_count(1)
    expect(page.get_by_text(SCRIPT)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Open user.lock")).click()
    changes = page.get_by_role("table", name="What user.lock changed")
    expect(changes.get_by_role("row", name="status active suspended")).to_be_visible()
    looked_at(page, "audit", dark=True)
    page.reload()
    expect(page.get_by_text(re.compile(r"^Seal [\d,]+$"))).to_be_visible(timeout=SOON)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert locked.headers["x-request-id"] in lines[1]
    page.get_by_role("button", name="Show all").click()
    expect(page).to_have_url(f"{WEB}/admin/audit")
    page.go_back()
    expect(page.get_by_label("To", exact=True)).to_have_value(target)
    assert page.evaluate("'hit' in window") is False


def test_what_happens_anywhere_appears_here(page: Page, product: Product, client: httpx.Client) -> None:
    operator = opened(page, product, client, "root.stream@example.com")
    page.goto(f"{WEB}/admin/stream")
    expect(page.get_by_role("status").filter(has_text=re.compile("^Live$"))).to_be_visible(timeout=SOON)
    with signed_in(client, "ada.stream@example.com", PASSWORD) as user:
        me = user.get("/v1/auth/me").json()
        assert user.patch("/v1/auth/me", json={"name": "Ada"}).status_code == 200
        refused = user.post("/v1/usage/consume", json={"meter": "jobs", "amount": 11})
        assert refused.status_code == 402
    rows = page.get_by_role("table", name="Refusals and acts, newest first").get_by_role("row")
    refusal = rows.filter(has_text=refused.json()["request_id"])
    expect(refusal).to_contain_text("Refused: Jobs: the limit is reached", timeout=SOON)
    expect(refusal).to_contain_text("0 of 10 used · 11 asked")
    client.post(f"/v1/admin/users/{me['id']}/lock", json={"reason": SCRIPT}, headers=operator)
    expect(rows.filter(has_text=SCRIPT)).to_contain_text("user.lock", timeout=SOON)
    looked_at(page, "stream", dark=True)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. Nothing new is shown")).to_be_visible()
    client.post(f"/v1/admin/users/{me['id']}/unlock", headers=operator)
    page.wait_for_timeout(2_500)
    expect(rows.filter(has_text="user.unlock").filter(has_text=me["id"])).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(rows.filter(has_text="user.unlock").filter(has_text=me["id"])).to_be_visible(timeout=SOON)

    refusal.get_by_role("link", name=re.compile("^Only ")).click()
    expect(page).to_have_url(f"{WEB}/admin/stream?account={me['account']['id']}")
    expect(rows.filter(has_text=SCRIPT)).to_have_count(0)
    expect(refusal).to_be_visible(timeout=SOON)
    page.get_by_role("combobox", name="Why").select_option("Too many requests")
    expect(page.get_by_text("Nothing has happened in the last 15 minutes", exact=False)).to_be_visible(timeout=SOON)
    assert page.evaluate("'hit' in window") is False


def test_whether_everything_runs_is_told(page: Page, product: Product, client: httpx.Client) -> None:
    opened(page, product, client, "root.health@example.com")
    page.goto(f"{WEB}/admin/health")
    expect(page.get_by_role("heading", name="Health", exact=True)).to_be_visible()
    checks = page.get_by_role("table", name="Checks").get_by_role("row")
    expect(checks).to_have_count(1 + 13)
    for name in ("Database", "Readiness", "Workers", "Outbox", "Audit seals", "Reservations"):
        expect(checks.filter(has=page.get_by_role("rowheader", name=name, exact=True))).to_contain_text("Well")
    expect(checks.filter(has_text="1 worker alive.")).to_be_visible()
    looked_at(page, "health", dark=True)
