"""The first room of the web app, in Chromium."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import WEB, Product
from backend.tests.e2e.screens import PASSWORD, confirmed, ensure_accessible, log_in, overview, picture, sign_up

pytestmark = pytest.mark.browser


def test_from_sign_up_to_the_refusal_in_words_and_on_with_pro(
    page: Page, product: Product, client: httpx.Client
) -> None:
    email = "grace@example.com"
    sign_up(page, client, email)
    expect(page.get_by_text("Free Plan").first).to_be_visible()
    jobs = page.get_by_role("meter", name="Jobs")
    expect(jobs).to_have_attribute("aria-valuenow", "0")
    spend = page.get_by_role("button", name="Spend one job")
    for used in range(1, 11):
        spend.click()
        expect(jobs).to_have_attribute("aria-valuenow", str(used))
    picture(page, "overview-at-limit")
    spend.click()
    refusal = page.get_by_role("alert").filter(has_text="Jobs: the limit is reached")
    expect(refusal).to_contain_text("10 of 10")
    expect(refusal).to_contain_text("Wait until it resets.")
    ensure_accessible(page)
    picture(page, "overview-refused")
    page.emulate_media(color_scheme="dark")
    ensure_accessible(page)
    picture(page, "overview-refused-dark")
    page.emulate_media(color_scheme="light")
    refusal.get_by_role("link", name="See the plans").click()
    expect(page.get_by_text(f"feature user set-plan {email} pro")).to_be_visible()
    # Refused, and still signed in.
    page.goto(f"{WEB}/app")
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    product.feature("user", "set-plan", email, "pro")
    page.reload()
    expect(page.get_by_text("Pro Plan").first).to_be_visible()
    expect(page.get_by_text(re.compile("^Ends .*, then the default plan applies$"))).to_be_visible()
    expect(page.get_by_text(re.compile("Renews|a month"))).to_have_count(0)
    spend.click()
    expect(jobs).to_have_attribute("aria-valuenow", "1")
    picture(page, "overview-pro")


def test_the_link_of_the_banner_signs_the_first_administrator_in_once(page: Page, product: Product) -> None:
    link = product.banner("Administrator").split()[0]
    page.goto(link)
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    second = page.context.browser
    assert second is not None
    other = second.new_context().new_page()
    other.goto(link)
    expect(other.get_by_text("This sign-in link does not work")).to_be_visible()
    expect(other.get_by_text("This link does not work")).to_have_count(0)
    ensure_accessible(other)
    picture(other, "link-used")
    other.context.close()


def test_the_development_mailbox_is_a_page(page: Page, client: httpx.Client) -> None:
    client.post("/v1/auth/register", json={"email": "mail@example.com", "password": PASSWORD})
    page.goto(f"{WEB}/dev/mail?to=mail@example.com")
    expect(page.get_by_role("heading", name="Confirm your e-mail address")).to_be_visible()
    ensure_accessible(page)
    picture(page, "mailbox")


def test_tabs_of_one_browser_that_are_loaded_at_once_stay_signed_in(page: Page, client: httpx.Client) -> None:
    confirmed(client, "tabs@example.com")
    log_in(page, "tabs@example.com")
    overview(page)
    tabs = [page, *(page.context.new_page() for _ in range(4))]
    for _ in range(2):
        for tab in tabs:
            tab.goto(f"{WEB}/app", wait_until="commit")  # each renews by itself as soon as its scripts run
        for tab in tabs:
            heading = tab.get_by_role("heading", name="Overview", exact=True)
            expect(heading).to_be_visible(timeout=30_000)  # all tabs share two cores
    for tab in tabs[1:]:
        tab.close()
