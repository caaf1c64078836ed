"""The back office in Chromium: a user is found, locked, unlocked, upgraded, given a limit, and it is written down."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product, signed_in
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser

IMAGE = '<img src=x onerror="window.hit = true">'
SCRIPT = "<script>window.hit = true</script>"


def superadmin(page: Page, product: Product, client: httpx.Client, email: str) -> None:
    """Signs a superadmin in, on their way to the back office."""
    confirmed(client, email)
    product.feature("user", "set-superadmin", email)
    log_in(page, email)
    overview(page)
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("link", name="Back office").click()
    expect(page.get_by_role("heading", name="Platform overview")).to_be_visible()


def act(page: Page, begin: str, confirm: str) -> None:
    page.get_by_role("button", name=begin, exact=True).click()
    page.get_by_role("button", name=confirm, exact=True).click()


def ensure_nothing_ran(page: Page) -> None:
    assert page.evaluate("'hit' in window") is False
    assert page.locator("main img, main script").count() == 0


def test_a_user_is_found_changed_and_all_of_it_is_written_down(
    page: Page, product: Product, client: httpx.Client
) -> None:
    with signed_in(client, "grace.op-target@example.com", PASSWORD) as user:
        assert user.patch("/v1/auth/me", json={"name": IMAGE}).status_code == 200
        superadmin(page, product, client, "root.op@example.com")
        looked_at(page, "operators-overview", dark=True)

        page.get_by_role("link", name="Users").click()
        page.get_by_role("heading", name="Users").wait_for()
        page.keyboard.press("/")
        expect(page.get_by_label("Search")).to_be_focused()
        page.keyboard.type("op-target")
        expect(page.get_by_text("1 user", exact=True)).to_be_visible()
        expect(page).to_have_url(f"{WEB}/admin/users?q=op-target")
        expect(page.get_by_text(IMAGE)).to_be_visible()
        ensure_nothing_ran(page)
        looked_at(page, "operators-users", dark=True)

        page.get_by_role("link", name="grace.op-target@example.com").click()
        expect(page.get_by_role("heading", name="grace.op-target@example.com")).to_be_visible()
        expect(page.get_by_text(IMAGE).first).to_be_visible()
        looked_at(page, "operators-user", dark=True)

        page.get_by_role("button", name="Lock this user").click()
        page.get_by_label("Reason").fill(f"spam {SCRIPT}")
        looked_at(page, "operators-lock", dark=True)
        page.get_by_role("button", name="Lock them").click()
        expect(page.get_by_text("grace.op-target@example.com is locked.")).to_be_visible()
        assert user.get("/v1/ping").status_code == 401
        act(page, "Unlock this user", "Unlock them")
        expect(page.get_by_text("grace.op-target@example.com may sign in again.")).to_be_visible()

        page.get_by_role("button", name="Assign a plan").click()
        page.get_by_role("combobox", name="Plan").select_option("pro")
        page.get_by_role("button", name="Assign the plan").click()
        expect(page.get_by_text("The account is on pro now.")).to_be_visible()
        expect(page.get_by_text("Pro Plan")).to_be_visible()

        parts = page.get_by_role("navigation", name="Parts of this user")
        parts.get_by_role("link", name="Overrides").click()
        page.get_by_label("Meter").select_option("jobs")
        page.get_by_label("Amount").fill("50")
        page.get_by_label("Reason").fill(f"a promise {IMAGE}")
        page.get_by_role("button", name="Give this limit").click()
        expect(page.get_by_text("Given. Jobs: 50 more than the plan")).to_be_visible()
        expect(page.get_by_role("heading", name="Jobs: 50 more than the plan")).to_be_visible()
        looked_at(page, "operators-overrides", dark=True)

        parts.get_by_role("link", name="Notes").click()
        page.get_by_label("New note").fill(f"Called twice. {SCRIPT}")
        page.get_by_role("button", name="Add note").click()
        expect(page.get_by_text(SCRIPT)).to_be_visible()
        looked_at(page, "operators-notes", dark=True)

        for tab in ("Sessions", "Keys", "Requests", "Audit"):
            parts.get_by_role("link", name=tab).click()
            expect(parts.locator("[aria-current=page]")).to_have_text([tab])
            looked_at(page, f"operators-{tab.lower()}", dark=True)
        acts = page.get_by_role("row").filter(has=page.locator("code")).locator("td:nth-of-type(1)").all_inner_texts()
        assert acts == ["user.notes.create", "user.overrides.create", "user.upgrade_plan", "user.unlock", "user.lock"]
        expect(page.get_by_text(f"spam {SCRIPT}")).to_be_visible()
        expect(page.get_by_text(f"a promise {IMAGE}").first).to_be_visible()
        ensure_nothing_ran(page)


def test_a_deletion_shows_what_it_takes_along_and_is_done(page: Page, product: Product, client: httpx.Client) -> None:
    with signed_in(client, "mary.op-gone@example.com", PASSWORD) as user:
        assert user.post("/v1/keys", json={"name": "ci", "scopes": []}).status_code == 201
        user_id = user.get("/v1/auth/me").json()["id"]
        superadmin(page, product, client, "root.op-deletes@example.com")
        page.goto(f"{WEB}/admin/users/{user_id}")
        page.get_by_role("button", name="Delete this user").click()
        expect(page.get_by_text("Sessions: 1")).to_be_visible()
        expect(page.get_by_text("Keys: 1")).to_be_visible()
        looked_at(page, "operators-delete", dark=True)
        page.get_by_label("Their address").fill("mary.op-gone@example.com")
        page.get_by_label("Reason").fill("asked for it")
        page.get_by_role("button", name="Delete them for good").click()
        expect(page.get_by_text("The user is deleted, and the address is free.")).to_be_visible()
        assert user.get("/v1/ping").status_code == 401
        page.goto(f"{WEB}/admin/users?q=op-gone")
        expect(page.get_by_text("0 users", exact=True)).to_be_visible()
        looked_at(page, "operators-nobody", dark=True)


def test_many_are_acted_on_after_a_look_at_whom_it_affects(page: Page, product: Product, client: httpx.Client) -> None:
    for number in range(3):
        confirmed(client, f"bulk{number}.op-many@example.com")
    superadmin(page, product, client, "root.op-many@example.com")
    page.goto(f"{WEB}/admin/users?q=op-many")
    page.get_by_label("Choose all on this page").check()
    page.get_by_role("button", name="Choose all that match: 4 users").click()
    page.get_by_role("button", name="See whom it affects").click()
    expect(page.get_by_text("It affects 3 of 4.")).to_be_visible()
    expect(page.get_by_text("1 who are operators, or yourself")).to_be_visible()
    page.get_by_label("Reason").fill(f"a test {SCRIPT}")
    looked_at(page, "operators-bulk", dark=True)
    page.get_by_role("button", name="Lock 3", exact=True).click()
    expect(page.get_by_text("Lock: finished")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("3 of 3 done")).to_be_visible()
    expect(page.get_by_role("cell", name="Locked")).to_have_count(3)
    looked_at(page, "operators-bulk-done", dark=True)
    ensure_nothing_ran(page)


def test_an_operator_sees_what_a_user_sees_and_comes_back(page: Page, product: Product, client: httpx.Client) -> None:
    confirmed(client, "vera.op-seen@example.com")
    superadmin(page, product, client, "root.op-sees@example.com")
    page.goto(f"{WEB}/admin/users?q=op-seen")
    page.get_by_role("link", name="vera.op-seen@example.com").click()
    page.get_by_role("button", name="Act as this user").click()
    page.get_by_label("Reason").fill("ticket 7")
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.get_by_text("You act as vera.op-seen@example.com.")).to_be_visible()
    overview(page)
    page.get_by_role("button", name="Stop acting").click()
    expect(page.get_by_role("heading", name="vera.op-seen@example.com")).to_be_visible()
    # The page is drawn anew once it is over, which takes a click of that moment with it.
    expect(page.get_by_text("You act as vera.op-seen@example.com.")).to_have_count(0)
    page.get_by_role("link", name="Audit", exact=True).last.click()
    expect(page.get_by_text("user.impersonate", exact=False).first).to_be_visible()


def test_who_is_no_operator_is_told_so_and_who_has_one_factor_what_to_do(
    page: Page, product: Product, client: httpx.Client
) -> None:
    confirmed(client, "ada.op-none@example.com")
    log_in(page, "ada.op-none@example.com")
    overview(page)
    page.goto(f"{WEB}/admin/users")
    expect(page.get_by_text("This is for operators of the platform")).to_be_visible()
    looked_at(page, "operators-none", dark=True)

    root = "root.op-gives@example.com"
    confirmed(client, root)
    product.feature("user", "set-superadmin", root)
    token = client.post("/v1/auth/login", json={"email": root, "password": PASSWORD}).json()["access_token"]
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {token}"}) as operator:
        found = operator.get("/v1/admin/users", params={"q": "ada.op-none"}).json()["items"]
        given = operator.post(f"/v1/admin/users/{found[0]['id']}/roles", json={"roles": ["support"]})
        assert given.status_code == 200
    page.reload()
    expect(page.get_by_text("Turn two-factor sign-in on first")).to_be_visible()
    page.get_by_role("link", name="Open Settings, Security").click()
    expect(page.get_by_role("heading", name="Security", exact=True)).to_be_visible()
