"""What browser tests do on every page: look at it, at both widths, and let axe look at it."""

from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from backend.core.settings import REPOSITORY
from backend.tests.e2e.product import WEB, newest_link

PASSWORD = "a password of many words"
_AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_SHOTS = REPOSITORY / "var" / "screens"


# What moves has arrived: a colour half way between two has the contrast of neither. What a change of the colour scheme
# or an answer sets in motion begins some frames later.
_AT_REST = """async () => {
    for (let calm = 0; calm < 5; calm++) {
        await new Promise(requestAnimationFrame)
        const moving = document.getAnimations().filter(one => one.effect.getComputedTiming().endTime !== Infinity)
            .filter(one => one.playState === "running" || one.pending)
        if (moving.length) calm = -1
        await Promise.allSettled(moving.map(one => one.finished))
    }
}"""


_AXE_FINDS = "async rules => (await axe.run(rules)).violations.map(v => [v.impact, v.id, v.nodes[0].html])"
_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


def ensure_accessible(page: Page, *, only_colours: bool = False) -> None:
    """axe finds nothing serious. `only_colours`: what the other scheme may change of a page that was looked at."""
    page.evaluate(_AT_REST)
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=_AXE)
    found = page.evaluate(_AXE_FINDS, _COLOURS if only_colours else {})
    serious = [violation for violation in found if violation[0] in ("serious", "critical")]
    assert serious == [], serious


def picture(page: Page, name: str) -> Path:
    """A screenshot at both widths, and no sideways scrolling at the narrow one."""
    _SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_SHOTS / f"{name}-1280.png", full_page=True)
    page.set_viewport_size({"width": 320, "height": 800})
    # An open menu is put in its new place a frame after the page has its new width.
    page.evaluate(_AT_REST)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    path = _SHOTS / f"{name}-320.png"
    page.screenshot(path=path, full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    return path


def looked_at(page: Page, name: str, *, dark: bool = False) -> None:
    """axe and both widths; with `dark` in the other scheme, too."""
    ensure_accessible(page)
    picture(page, name)
    if dark:
        page.emulate_media(color_scheme="dark")
        ensure_accessible(page, only_colours=True)
        picture(page, f"{name}-dark")
        page.emulate_media(color_scheme="light")


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fills in the form of the sign-in page and sends it."""
    page.goto(f"{WEB}/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def overview(page: Page) -> None:
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()


def sign_up(page: Page, client: httpx.Client, email: str) -> None:
    """From the form to the overview, looking at each page on the way."""
    page.goto(f"{WEB}/signup")
    looked_at(page, "signup")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    looked_at(page, "check-mail")
    page.goto(newest_link(client, email))
    expect(page.get_by_text("Your address is confirmed")).to_be_visible()
    looked_at(page, "verified")
    page.goto(f"{WEB}/login")
    looked_at(page, "login")
    log_in(page, email)
    overview(page)


def confirmed(client: httpx.Client, email: str) -> None:
    """A user who may sign in, without looking at pages."""
    assert client.post("/v1/auth/register", json={"email": email, "password": PASSWORD}).status_code == 202
    token = newest_link(client, email).partition("token=")[2]
    verified = client.get("/v1/auth/verify-email", params={"token": token})
    assert verified.status_code == 200, f"has another test used {email}? {verified.text}"
