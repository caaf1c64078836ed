"""The first room of the web app, in Chromium."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from backend.core.settings import REPOSITORY
from backend.tests.e2e.product import WEB, Product, newest_link

PASSWORD = "a password of many words"
_AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_SHOTS = REPOSITORY / "var" / "screens"

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def ensure_accessible(page: Page) -> None:
    """axe finds nothing serious."""
    page.add_script_tag(path=_AXE)
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.impact, v.id, v.nodes.length])")
    assert [violation for violation in found if violation[0] in ("serious", "critical")] == []


def picture(page: Page, name: str) -> Path:
    """A screenshot at both widths, and no sideways scrolling at the narrow one."""
    _SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_SHOTS / f"{name}-1280.png", full_page=True)
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    path = _SHOTS / f"{name}-320.png"
    page.screenshot(path=path, full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    return path


def sign_up(page: Page, client: httpx.Client, email: str) -> None:
    page.goto(f"{WEB}/signup")
    ensure_accessible(page)
    picture(page, "signup")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    picture(page, "check-mail")
    page.goto(newest_link(client, email))
    expect(page.get_by_text("Your address is confirmed")).to_be_visible()
    ensure_accessible(page)
    picture(page, "verified")
    page.goto(f"{WEB}/login")
    ensure_accessible(page)
    picture(page, "login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()


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
    refusal = page.get_by_text("10 of 10 are used on Free Plan", exact=False)
    expect(refusal).to_be_visible()
    ensure_accessible(page)
    picture(page, "overview-refused")
    page.emulate_media(color_scheme="dark")
    ensure_accessible(page)
    picture(page, "overview-refused-dark")
    page.emulate_media(color_scheme="light")
    # Refused, and still signed in.
    page.reload()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    product.feature("user", "set-plan", email, "pro")
    page.reload()
    expect(page.get_by_text("Pro Plan").first).to_be_visible()
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
    ensure_accessible(other)
    picture(other, "link-used")
    other.context.close()


def test_the_development_mailbox_is_a_page(page: Page, client: httpx.Client) -> None:
    client.post("/v1/auth/register", json={"email": "mail@example.com", "password": PASSWORD})
    page.goto(f"{WEB}/dev/mail?to=mail@example.com")
    expect(page.get_by_role("heading", name="Confirm your e-mail address")).to_be_visible()
    ensure_accessible(page)
    picture(page, "mailbox")
