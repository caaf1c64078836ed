"""API keys in Chromium: made, shown once, used, rotated, revoked, at both widths and in both schemes."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import WEB
from backend.tests.e2e.screens import confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser


def test_a_key_is_made_used_rotated_and_revoked(page: Page, client: httpx.Client) -> None:
    email = "joan.keys@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_text("There is no key yet.", exact=False)).to_be_visible()
    looked_at(page, "keys-empty", dark=True)

    name = "The build <b>server</b> " + "x" * 70
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make key").click()
    shown = page.get_by_label("The key", exact=True)
    expect(shown).to_be_focused()
    key = shown.inner_text()
    looked_at(page, "keys-shown", dark=True)
    assert client.get("/v1/ping", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text(key)).to_have_count(0)

    page.get_by_role("button", name=f"Rotate {name}").click()
    expect(shown).to_be_visible()
    second = shown.inner_text()
    assert second != key
    for each in (key, second):
        assert client.get("/v1/ping", headers={"Authorization": f"Bearer {each}"}).status_code == 200
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text("The secret before works until", exact=False)).to_be_visible()

    page.get_by_role("button", name=f"Revoke {name}").click()
    looked_at(page, "keys-revoke", dark=True)
    line = page.get_by_role("listitem").filter(has_text="Revoke it").bounding_box()
    assert line is not None
    assert line["height"] < 300  # the question leaves the key its room
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("is revoked.", exact=False)).to_be_visible()
    page.goto(f"{WEB}/app/keys")
    expect(page.get_by_text("There is no key yet.", exact=False)).to_be_visible()
