"""From what a refused customer says to their next call, in Chromium: found, understood, granted, and taken back."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product, signed_in
from backend.tests.e2e.screens import PASSWORD, looked_at
from backend.tests.e2e.test_operators import IMAGE, SCRIPT, ensure_nothing_ran, superadmin

pytestmark = pytest.mark.browser

SPEND = "/v1/usage/consume"
Step = Callable[[], object]


def refused(user: httpx.Client) -> tuple[httpx.Client, httpx.Response]:
    """Two more jobs than there are, by a key whose name is a script; the client is the key's."""
    made = user.post("/v1/keys", json={"name": IMAGE})
    assert made.status_code == 201, made.text
    caller = httpx.Client(base_url=API, headers={"Authorization": f"Bearer {made.json()['key']}"}, timeout=20)
    assert caller.post(SPEND, json={"meter": "jobs", "amount": 8}).status_code == 200
    answer = caller.post(SPEND, json={"meter": "jobs", "amount": 4})
    assert answer.status_code == 402, answer.text
    return caller, answer


def test_a_refused_customer_is_helped_in_four_steps(page: Page, product: Product, client: httpx.Client) -> None:
    with signed_in(client, "grace.decisions@example.com", PASSWORD) as user:
        caller, answer = refused(user)
        superadmin(page, product, client, "root.decisions@example.com")
        page.get_by_role("link", name="Decisions").click()
        expect(page.get_by_role("heading", name="Refused requests of all accounts")).to_be_visible()
        expect(page.get_by_label("Request id, decision id")).to_be_focused()
        expect(page.get_by_text(IMAGE).first).to_be_visible()
        looked_at(page, "operators-decisions", dark=True)

        page.get_by_label("Request id, decision id").focus()
        find: list[Step] = [
            lambda: page.keyboard.insert_text(answer.headers["x-request-id"]),
            lambda: page.keyboard.press("Enter"),
        ]
        for step in find:
            step()
        expect(page).to_have_url(f"{WEB}/admin/decisions/{answer.json()['decision_id']}")
        expect(page.get_by_role("heading", name="Jobs: the limit is reached")).to_be_visible()
        cause = page.get_by_role("row").filter(has_text="FAIL")
        expect(cause).to_contain_text("used 8; asked 4")
        expect(page.get_by_label("Jobs more than the plan gives")).to_have_value("2")
        expect(page.get_by_role("link", name="grace.decisions@example.com")).to_be_visible()
        ensure_nothing_ran(page)
        looked_at(page, "operators-decision", dark=True)
        give: list[Step] = [
            lambda: page.get_by_label("Reason").fill(f"a promise {SCRIPT}"),
            lambda: page.get_by_role("button", name="Grant it").click(),
        ]
        for step in give:
            step()
        expect(page.get_by_text("Nothing is needed: the same request would be allowed now.")).to_be_visible()
        assert len(find + give) == 4
        passes = caller.post(SPEND, json={"meter": "jobs", "amount": 4})
        assert (passes.status_code, passes.json()["limit"]) == (200, 12)
        caller.close()

        page.get_by_role("link", name="Overrides", exact=True).click()
        expect(page.get_by_role("heading", name="Limits beside plans")).to_be_visible()
        page.get_by_label("Account or user").fill("grace.decisions")
        page.keyboard.press("Enter")
        row = page.get_by_role("row").filter(has_text="grace.decisions@example.com")
        expect(row).to_contain_text(f"a promise {SCRIPT}")
        ensure_nothing_ran(page)
        looked_at(page, "operators-given", dark=True)
        row.get_by_role("button", name="Take back").click()
        looked_at(page, "operators-take-back", dark=True)
        row.get_by_role("button", name="Take it back").click()
        expect(page.get_by_text("Taken back. Jobs: 2 more than the plan")).to_be_visible()
        assert user.post(SPEND, json={"meter": "jobs", "amount": 1}).status_code == 402


def test_what_if_is_asked_and_changes_nothing(page: Page, product: Product, client: httpx.Client) -> None:
    with signed_in(client, "mary.decisions@example.com", PASSWORD) as user:
        caller, answer = refused(user)
        caller.close()
        superadmin(page, product, client, "root.what-if@example.com")
        page.goto(f"{WEB}/admin/decisions/{answer.json()['decision_id']}")
        what_if = page.get_by_role("region", name="What if")
        what_if.get_by_role("combobox", name="Plan").select_option("pro")
        what_if.get_by_role("button", name="Ask").click()
        expect(what_if.get_by_role("row").filter(has_text="Answer")).to_contain_text("Allowed")
        looked_at(page, "operators-what-if", dark=True)
        what_if.get_by_role("combobox", name="Plan").select_option("")
        what_if.get_by_label("Limit of Jobs").select_option("add")
        what_if.get_by_label("Amount").fill("1")
        what_if.get_by_role("button", name="Ask").click()
        expect(what_if.get_by_role("row").filter(has_text="Limit")).to_contain_text("11")
        expect(what_if.get_by_role("row").filter(has_text="Answer").locator("td").last).to_have_text(
            "Refused by: Quota"
        )
        assert user.post(SPEND, json={"meter": "jobs", "amount": 3}).status_code == 402, "nothing was given"


def test_an_unknown_id_and_an_account_that_is_nobodys(page: Page, product: Product, client: httpx.Client) -> None:
    superadmin(page, product, client, "root.unknown-id@example.com")
    page.goto(f"{WEB}/admin/decisions?q=req_nothing")
    expect(page.get_by_text("No refusal has this id.", exact=False)).to_be_visible()
    looked_at(page, "operators-decisions-none", dark=True)
    page.goto(f"{WEB}/admin/decisions/req_nothing")
    expect(page.get_by_text("There is no such refusal")).to_be_visible()
    page.goto(f"{WEB}/admin/decisions?account=external:nobody")
    expect(page.get_by_text("No account has this external id.")).to_be_visible()
