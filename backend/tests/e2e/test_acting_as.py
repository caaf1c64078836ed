"""Acting as a user in Chromium: their rooms, what stays closed, what the user is told, and the way back."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product, signed_in
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser


def act_as(page: Page, product: Product, client: httpx.Client, operator: str, user_id: str) -> None:
    """Signs a superadmin in, who begins to act as a user."""
    confirmed(client, operator)
    product.feature("user", "set-superadmin", operator)
    log_in(page, operator)
    overview(page)
    page.goto(f"{WEB}/admin/users/{user_id}")
    page.get_by_role("button", name="Act as this user").click()
    page.get_by_label("Reason").fill("ticket 7")
    page.get_by_role("button", name="Begin").click()


def test_an_operator_sees_what_a_user_sees_and_leaves_no_trace_but_in_the_log(
    page: Page, product: Product, client: httpx.Client
) -> None:
    email, operator = "edith.acted-as@example.com", "root.acts-as@example.com"
    with signed_in(client, email, PASSWORD) as user:
        assert user.post("/v1/usage/consume", json={"meter": "jobs", "amount": 3}).status_code == 200
        user_id = user.get("/v1/auth/me").json()["id"]
        act_as(page, product, client, operator, user_id)

        banner = page.get_by_role("region", name="Acting as a user")
        expect(banner.get_by_text(f"You act as {email}.")).to_be_visible()
        expect(banner.get_by_text("You only look.")).to_be_visible()
        overview(page)
        page.get_by_role("link", name="Usage").click()
        expect(page.get_by_text("3 of 10", exact=False).first).to_be_visible()
        looked_at(page, "acting-as", dark=True)
        page.get_by_role("link", name="Keys").click()
        page.get_by_label("Name").fill("mine now")
        page.get_by_role("button", name="Make key").click()
        expect(page.get_by_text("Not while you act as somebody else", exact=False)).to_be_visible()
        looked_at(page, "acting-as-refused")

        told = user.get("/v1/auth/sessions").json()["items"]
        assert [one["is_operator"] for one in told].count(True) == 1
        banner.get_by_role("button", name="Stop acting").click()
        expect(page.get_by_role("heading", name=email)).to_be_visible()
        expect(banner).to_have_count(0)
        told = user.get("/v1/auth/sessions").json()["items"]
        assert [one["is_operator"] for one in told].count(True) == 0
        page.get_by_role("button", name=re.compile("^Account")).click()
        expect(page.get_by_text(operator).first).to_be_visible()
        page.reload()  # the operator's own session is as it was
        expect(page.get_by_role("heading", name=email)).to_be_visible()


def test_a_reload_leaves_no_session_behind(page: Page, product: Product, client: httpx.Client) -> None:
    email, operator = "ines.acted-as@example.com", "root.acts-and-reloads@example.com"
    with signed_in(client, email, PASSWORD) as user:
        user_id = user.get("/v1/auth/me").json()["id"]
        act_as(page, product, client, operator, user_id)
        expect(page.get_by_text(f"You act as {email}.")).to_be_visible()
        assert [one["is_operator"] for one in user.get("/v1/auth/sessions").json()["items"]].count(True) == 1
        page.reload()
        page.get_by_role("button", name=re.compile("^Account")).click()
        expect(page.get_by_text(operator).first).to_be_visible()
        assert [one["is_operator"] for one in user.get("/v1/auth/sessions").json()["items"]].count(True) == 0


def test_what_the_user_ends_is_over_at_once_for_the_operator(
    page: Page, product: Product, client: httpx.Client
) -> None:
    email, operator = "lise.acted-as@example.com", "root.acts-until@example.com"
    with signed_in(client, email, PASSWORD) as user:
        user_id = user.get("/v1/auth/me").json()["id"]
        act_as(page, product, client, operator, user_id)
        expect(page.get_by_text(f"You act as {email}.")).to_be_visible()
        (theirs,) = [one for one in user.get("/v1/auth/sessions").json()["items"] if one["is_operator"]]
        assert user.delete(f"{API}/v1/auth/sessions/{theirs['id']}").status_code == 200
        page.get_by_role("link", name="Limits").click()
        expect(page.get_by_text("You are yourself again")).to_be_visible()
        looked_at(page, "acting-as-over")
